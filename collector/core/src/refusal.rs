//! The kinds of refusals: each one is counted, and logged at most once a minute per kind.

use crate::quiet::Quiet;

/// Why a stranger's connection or request was refused or cut off.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Refusal {
    /// The client has reached its limit of connections.
    ClientConnections,
    /// The client's keys or signatures were refused too often.
    ClientFailures,
    /// All connections are in use; new ones wait.
    AllConnections,
    /// A connection ended without a readable request.
    NoRequest,
    /// The next request did not arrive, or the response was not read, in time.
    SlowConnection,
    /// A body did not arrive in time.
    SlowBody,
    /// The bodies being read use up the memory reserved for them.
    BodyMemory,
    /// A webhook's signature is invalid, or its body cannot be read.
    Webhook,
    /// The store could not process a request.
    Store,
}

impl Refusal {
    /// Every kind, in declaration order.
    pub const ALL: [Self; 9] = [
        Self::ClientConnections,
        Self::ClientFailures,
        Self::AllConnections,
        Self::NoRequest,
        Self::SlowConnection,
        Self::SlowBody,
        Self::BodyMemory,
        Self::Webhook,
        Self::Store,
    ];

    /// The label in metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ClientConnections => "client_connections",
            Self::ClientFailures => "client_failures",
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
