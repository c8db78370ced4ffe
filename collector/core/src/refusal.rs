//! What strangers are refused, by kind: counted all of it, logged once a minute a kind.

use crate::quiet::Quiet;

/// Why a connection or a request of a stranger was refused or cut off.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Refusal {
    /// The client has as many connections as it may have.
    ClientConnections,
    /// All connections are in use; new ones wait.
    AllConnections,
    /// A connection ended without a request that could be read.
    NoRequest,
    /// The next request did not come, or the answer was not read, in time.
    SlowConnection,
    /// A body did not arrive in time.
    SlowBody,
    /// The bodies that are being read fill the memory that they may have.
    BodyMemory,
    /// A webhook is not signed as it should be, or cannot be read.
    Webhook,
    /// The store failed a request.
    Store,
}

impl Refusal {
    /// Every kind, in the order of their declaration.
    pub const ALL: [Self; 8] = [
        Self::ClientConnections,
        Self::AllConnections,
        Self::NoRequest,
        Self::SlowConnection,
        Self::SlowBody,
        Self::BodyMemory,
        Self::Webhook,
        Self::Store,
    ];

    /// Its name in metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ClientConnections => "client_connections",
            Self::AllConnections => "all_connections",
            Self::NoRequest => "no_request",
            Self::SlowConnection => "slow_connection",
            Self::SlowBody => "slow_body",
            Self::BodyMemory => "body_memory",
            Self::Webhook => "webhook",
            Self::Store => "store",
        }
    }
}

/// When each kind was last logged.
#[derive(Debug, Default)]
pub(crate) struct Logged([Quiet; Refusal::ALL.len()]);

impl Logged {
    pub(crate) fn of(&self, refusal: Refusal) -> &Quiet {
        &self.0[refusal as usize]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_is_logged_by_itself() {
        let logged = Logged::default();
        for (place, refusal) in Refusal::ALL.into_iter().enumerate() {
            assert_eq!(refusal as usize, place);
            assert_eq!(logged.of(refusal).note(7), Some(1), "{refusal:?}");
            assert_eq!(logged.of(refusal).note(7), None, "{refusal:?}");
        }
    }
}
