//! The open connections of the public address: how many, whose, and how long one may rest.
//!
//! actix-web gives the first head of a connection a deadline, and a body has one of its own
//! ([`crate::http`]). What is left is done here. A client has a number of connections that it may hold
//! at once. And from one answer on, the client has a while to read it and to send the next head whole:
//! else it could hold a connection for ever with a byte a minute.

use crate::problem::ApiError;
use actix_web::Error;
use actix_web::body::{BodySize, MessageBody};
use actix_web::dev::{Extensions, ServiceRequest, ServiceResponse};
use actix_web::middleware::Next;
use actix_web::rt::net::TcpStream;
use clew_core::{Core, Refusal};
use collector::settings::CurrentSettings;
use rustix::net::{SendFlags, Shutdown, send, shutdown};
use std::any::Any;
use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::os::fd::{AsFd, OwnedFd};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// How often connections are looked over.
const SWEEP: Duration = Duration::from_millis(500);
/// A client reads its answers at least this fast.
const READ_BYTES_PER_SECOND: u64 = 16 << 10;
/// What a client is sent that has as many connections as it may have. It is not read first.
const REFUSED: &[u8] =
    b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 5\r\nContent-Length: 0\r\n\
    Connection: close\r\n\r\n";

/// The open connections.
pub(crate) struct Sockets {
    core: Arc<Core>,
    settings: Arc<CurrentSettings>,
    /// As many as may be open.
    most: usize,
    open: Mutex<Open>,
}

#[derive(Default)]
struct Open {
    last_id: u64,
    sockets: HashMap<u64, Arc<Socket>>,
    clients: HashMap<IpAddr, usize>,
}

/// One connection.
struct Socket {
    /// A second descriptor of it, which ends it from outside.
    descriptor: OwnedFd,
    /// Whether it has brought a request.
    asked: AtomicBool,
    /// Until when it may rest; `None` while a request is being answered, and before the first.
    rests_until: Mutex<Option<Instant>>,
}

/// An open connection's entry, which ends with the connection.
struct Entry {
    sockets: Arc<Sockets>,
    id: u64,
    client: Option<IpAddr>,
    socket: Arc<Socket>,
}

/// The mark of a connection that was refused: what it sent already is not answered.
struct Refused;

impl Sockets {
    pub(crate) fn new(core: Arc<Core>, settings: Arc<CurrentSettings>, most: usize) -> Arc<Self> {
        Arc::new(Self { core, settings, most, open: Mutex::default() })
    }

    /// Enters a connection that was accepted, or ends it.
    pub(crate) fn accept(self: &Arc<Self>, connection: &dyn Any, data: &mut Extensions) {
        let Some(stream) = connection.downcast_ref::<TcpStream>() else { return };
        let entered = self.bounded(stream).map_or(Ok(None), |client| self.count(client).map(Some));
        // Where no more files can be opened it could not be ended later.
        match (entered, stream.as_fd().try_clone_to_owned()) {
            (Ok(client), Ok(descriptor)) => {
                data.insert(self.enter(client, descriptor));
            }
            (entered, _) => {
                if let Ok(Some(client)) = entered {
                    lock(&self.open).leave(client);
                }
                // It may be gone already.
                let _ = send(stream, REFUSED, SendFlags::NOSIGNAL | SendFlags::DONTWAIT);
                let _ = shutdown(stream, Shutdown::Both);
                data.insert(Refused);
            }
        }
    }

    /// The client whose connections are counted; `None` for a proxy, which speaks for many.
    fn bounded(&self, stream: &TcpStream) -> Option<IpAddr> {
        let peer = stream.peer_addr().ok()?.ip().to_canonical();
        let settings = self.settings.get();
        let is_proxy = settings.config.trusted_proxies.iter().any(|proxy| proxy.contains(peer));
        (!is_proxy).then(|| client(peer))
    }

    /// Counts one more connection of a client, where it may have one more.
    fn count(&self, client: IpAddr) -> Result<IpAddr, ()> {
        let most = self.settings.get().config.limits.connections_per_client;
        let mut open = lock(&self.open);
        let count = open.clients.entry(client).or_default();
        if *count < most {
            *count += 1;
            return Ok(client);
        }
        drop(open);
        if let Some(count) = self.core.refused(Refusal::ClientConnections) {
            tracing::warn!(
                count,
                "connections were refused: a client has limits.connections_per_client open; if it is a \
                 proxy, name it in trusted_proxies"
            );
        }
        Err(())
    }

    fn enter(self: &Arc<Self>, client: Option<IpAddr>, descriptor: OwnedFd) -> Entry {
        let socket =
            Socket { descriptor, asked: AtomicBool::new(false), rests_until: Mutex::default() };
        let socket = Arc::new(socket);
        let mut open = lock(&self.open);
        open.last_id += 1;
        let id = open.last_id;
        open.sockets.insert(id, Arc::clone(&socket));
        let count = open.sockets.len();
        drop(open);
        self.core.metrics.connections(count);
        if count == self.most
            && let Some(count) = self.core.refused(Refusal::AllConnections)
        {
            tracing::warn!(count, "all connections are in use (limits.connections); new ones wait");
        }
        Entry { sockets: Arc::clone(self), id, client, socket }
    }

    /// Ends the connections that have rested for too long, again and again.
    pub(crate) async fn sweep(self: Arc<Self>) {
        let mut interval = tokio::time::interval(SWEEP);
        loop {
            interval.tick().await;
            self.end_overdue(Instant::now());
        }
    }

    fn end_overdue(&self, now: Instant) {
        let overdue: Vec<_> = {
            let open = lock(&self.open);
            open.sockets.values().filter(|socket| socket.is_overdue(now)).cloned().collect()
        };
        for socket in overdue {
            socket.end();
            if let Some(count) = self.core.refused(Refusal::SlowConnection) {
                tracing::warn!(
                    count,
                    "connections were ended: no request or no reading within limits.request_seconds"
                );
            }
        }
    }
}

impl Open {
    fn leave(&mut self, client: IpAddr) {
        if let Some(count) = self.clients.get_mut(&client) {
            *count -= 1;
            if *count == 0 {
                self.clients.remove(&client);
            }
        }
    }
}

impl Socket {
    fn is_overdue(&self, now: Instant) -> bool {
        lock(&self.rests_until).is_some_and(|until| until <= now)
    }

    /// The client sees an end, and what serves the connection an end of what comes.
    fn end(&self) {
        *lock(&self.rests_until) = None;
        // It may be gone already.
        let _ = shutdown(&self.descriptor, Shutdown::Both);
    }

    fn work(&self) {
        self.asked.store(true, Ordering::Relaxed);
        *lock(&self.rests_until) = None;
    }

    fn rest(&self, longest: Duration) {
        *lock(&self.rests_until) = Some(Instant::now() + longest);
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        let mut open = lock(&self.sockets.open);
        open.sockets.remove(&self.id);
        if let Some(client) = self.client {
            open.leave(client);
        }
        let count = open.sockets.len();
        drop(open);
        let core = &self.sockets.core;
        core.metrics.connections(count);
        if !self.socket.asked.load(Ordering::Relaxed)
            && let Some(count) = core.refused(Refusal::NoRequest)
        {
            tracing::info!(count, "connections ended without a request that could be read");
        }
    }
}

/// Notes that a connection has brought a request, and when it was answered.
pub(crate) async fn watch(
    request: ServiceRequest,
    next: Next<impl MessageBody>,
) -> Result<ServiceResponse<impl MessageBody>, Error> {
    if request.conn_data::<Refused>().is_some() {
        return Err(ApiError::TooManyConnections.into());
    }
    let entry = request.conn_data::<Entry>();
    let Some(socket) = entry.map(|entry| Arc::clone(&entry.socket)) else {
        return next.call(request).await;
    };
    let longest = entry
        .map_or(Duration::ZERO, |entry| entry.sockets.settings.get().config.limits.request_time());
    socket.work();
    let answered = next.call(request).await;
    let bytes = match answered.as_ref().map(|answered| answered.response().body().size()) {
        Ok(BodySize::Sized(bytes)) => bytes,
        _ => 0,
    };
    socket.rest(longest + Duration::from_secs(bytes / READ_BYTES_PER_SECOND));
    answered
}

/// Who counts as one client: an IPv4 address, or the network that a household or a machine gets of IPv6.
fn client(peer: IpAddr) -> IpAddr {
    match peer {
        IpAddr::V4(_) => peer,
        IpAddr::V6(peer) => Ipv6Addr::from_bits(peer.to_bits() & (u128::MAX << 64)).into(),
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clients() {
        for (one, other, same) in [
            ("203.0.113.7", "203.0.113.7", true),
            ("203.0.113.7", "203.0.113.8", false),
            ("2001:db8:1:2::1", "2001:db8:1:2:ffff::9", true),
            ("2001:db8:1:2::1", "2001:db8:1:3::1", false),
        ] {
            let of = |text: &str| client(text.parse().unwrap());
            assert_eq!(of(one) == of(other), same, "{one} {other}");
        }
    }
}
