//! The open connections of the public address: how many there are, how many each client has, and
//! how long one may idle.
//!
//! actix-web has a deadline for the first request head of a connection, and request bodies have
//! their own ([`crate::http`]). This module adds three limits. Each client may hold only so many
//! connections at once. A client whose key or signature is refused again and again cannot connect
//! for a while: to refuse a connection costs far less than to refuse a request and its body. And
//! after each response, a client has limited time to read it and to send the next complete head;
//! otherwise it could hold a connection forever with a byte a minute.

use crate::problem::ApiError;
use actix_web::Error;
use actix_web::body::{BodySize, MessageBody};
use actix_web::dev::{Extensions, ServiceRequest, ServiceResponse};
use actix_web::http::StatusCode;
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

/// How often overdue connections are looked for.
const SWEEP: Duration = Duration::from_millis(500);
/// The slowest rate at which a client may read a response.
const READ_BYTES_PER_SECOND: u64 = 16 << 10;
/// How often a client's key or signature may be refused within [`FAILURES_TIME`].
const FAILURES: u32 = 100;
/// The time over which those are counted.
const FAILURES_TIME: Duration = Duration::from_secs(10);
/// The response to a client that may not connect now, sent before its request is read.
const REFUSED: &[u8] =
    b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 5\r\nContent-Length: 0\r\n\
    Connection: close\r\n\r\n";

/// The open connections.
pub(crate) struct Sockets {
    core: Arc<Core>,
    settings: Arc<CurrentSettings>,
    /// The most connections that may be open.
    most: usize,
    open: Mutex<Open>,
}

#[derive(Default)]
struct Open {
    last_id: u64,
    sockets: HashMap<u64, Arc<Socket>>,
    clients: HashMap<IpAddr, Client>,
}

/// A client with open connections or recent failures.
#[derive(Default)]
struct Client {
    connections: usize,
    failures: Failures,
}

/// How often a client's key or signature was refused.
#[derive(Default)]
struct Failures {
    count: u32,
    /// When counting starts afresh; `None` before the first failure.
    until: Option<Instant>,
}

/// One connection.
struct Socket {
    /// A second descriptor of the socket, used to shut it down from outside.
    descriptor: OwnedFd,
    /// Whether a request has arrived on it.
    has_request: AtomicBool,
    /// The end of its idle time; `None` before the first request and while one is being processed.
    rests_until: Mutex<Option<Instant>>,
}

/// Registers an open connection; removes it again when actix-web drops the connection's data.
struct Entry {
    sockets: Arc<Sockets>,
    id: u64,
    client: Option<IpAddr>,
    socket: Arc<Socket>,
}

/// Marks a refused connection: requests that it has already sent are not handled.
struct Refused;

impl Sockets {
    pub(crate) fn new(core: Arc<Core>, settings: Arc<CurrentSettings>, most: usize) -> Arc<Self> {
        Arc::new(Self { core, settings, most, open: Mutex::default() })
    }

    /// Registers an accepted connection, or refuses it.
    pub(crate) fn accept(self: &Arc<Self>, connection: &dyn Any, data: &mut Extensions) {
        let Some(stream) = connection.downcast_ref::<TcpStream>() else { return };
        let entered = self.bounded(stream).map_or(Ok(None), |client| self.count(client).map(Some));
        // Without a second descriptor, the connection could not be shut down later.
        match (entered, stream.as_fd().try_clone_to_owned()) {
            (Ok(client), Ok(descriptor)) => {
                data.insert(self.enter(client, descriptor));
            }
            (entered, _) => {
                if let Ok(Some(client)) = entered {
                    lock(&self.open).leave(client);
                }
                // The client may be gone already.
                let _ = send(stream, REFUSED, SendFlags::NOSIGNAL | SendFlags::DONTWAIT);
                let _ = shutdown(stream, Shutdown::Both);
                data.insert(Refused);
            }
        }
    }

    /// The client to count the connection for; `None` for a trusted proxy, which serves many
    /// clients.
    fn bounded(&self, stream: &TcpStream) -> Option<IpAddr> {
        let peer = stream.peer_addr().ok()?.ip().to_canonical();
        let settings = self.settings.get();
        let is_proxy = settings.config.trusted_proxies.iter().any(|proxy| proxy.contains(peer));
        (!is_proxy).then(|| client(peer))
    }

    /// Counts a client's new connection, unless the client has reached a limit.
    fn count(&self, client: IpAddr) -> Result<IpAddr, ()> {
        let most = self.settings.get().config.limits.connections_per_client;
        let mut open = lock(&self.open);
        let known = open.clients.entry(client).or_default();
        let is_barred = known.failures.are_too_many(Instant::now());
        if !is_barred && known.connections < most {
            known.connections += 1;
            return Ok(client);
        }
        drop(open);
        if is_barred {
            if let Some(count) = self.core.refused(Refusal::ClientFailures) {
                tracing::warn!(
                    count,
                    "connections were refused: a client's keys or signatures were refused more than \
                     {FAILURES} times in {} s; if it is your own proxy, add it to trusted_proxies",
                    FAILURES_TIME.as_secs()
                );
            }
        } else if let Some(count) = self.core.refused(Refusal::ClientConnections) {
            tracing::warn!(
                count,
                "connections were refused: a client has reached limits.connections_per_client; if it is \
                 your own proxy, add it to trusted_proxies"
            );
        }
        Err(())
    }

    fn enter(self: &Arc<Self>, client: Option<IpAddr>, descriptor: OwnedFd) -> Entry {
        let socket = Socket {
            descriptor,
            has_request: AtomicBool::new(false),
            rests_until: Mutex::default(),
        };
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

    /// Counts that a client's key or signature was refused; whether that happened too often.
    fn fail(&self, client: IpAddr, now: Instant) -> bool {
        let mut open = lock(&self.open);
        let failures = &mut open.clients.entry(client).or_default().failures;
        failures.add(now);
        let are_too_many = failures.are_too_many(now);
        drop(open);
        are_too_many
    }

    /// Shuts down overdue connections in an endless loop.
    pub(crate) async fn sweep(self: Arc<Self>) {
        let mut interval = tokio::time::interval(SWEEP);
        loop {
            interval.tick().await;
            let now = Instant::now();
            self.end_overdue(now);
            lock(&self.open).clients.retain(|_, client| client.is_of_use(now));
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
                    "connections were closed: the client sent no request, or did not read the response, \
                     within limits.request_seconds"
                );
            }
        }
    }
}

impl Open {
    fn leave(&mut self, client: IpAddr) {
        let now = Instant::now();
        if let Some(known) = self.clients.get_mut(&client) {
            known.connections -= 1;
            if !known.is_of_use(now) {
                self.clients.remove(&client);
            }
        }
    }
}

impl Client {
    fn is_of_use(&self, now: Instant) -> bool {
        self.connections > 0 || self.failures.is_counting(now)
    }
}

impl Failures {
    fn is_counting(&self, now: Instant) -> bool {
        self.until.is_some_and(|until| now < until)
    }

    fn are_too_many(&self, now: Instant) -> bool {
        self.count > FAILURES && self.is_counting(now)
    }

    fn add(&mut self, now: Instant) {
        if !self.is_counting(now) {
            *self = Self { count: 0, until: Some(now + FAILURES_TIME) };
        }
        self.count += 1;
    }
}

impl Socket {
    fn is_overdue(&self, now: Instant) -> bool {
        lock(&self.rests_until).is_some_and(|until| until <= now)
    }

    /// Shuts the connection down for both sides.
    fn end(&self) {
        *lock(&self.rests_until) = None;
        // The client may be gone already.
        let _ = shutdown(&self.descriptor, Shutdown::Both);
    }

    /// Reads nothing more, so that the rest of a body costs nothing; a response can still be sent.
    fn deafen(&self) {
        // The client may be gone already.
        let _ = shutdown(&self.descriptor, Shutdown::Read);
    }

    fn work(&self) {
        self.has_request.store(true, Ordering::Relaxed);
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
        if !self.socket.has_request.load(Ordering::Relaxed)
            && let Some(count) = core.refused(Refusal::NoRequest)
        {
            tracing::info!(count, "connections were closed without a readable request");
        }
    }
}

/// Middleware that suspends a connection's idle deadline while a request is processed, and restarts
/// it with the response.
pub(crate) async fn watch(
    request: ServiceRequest,
    next: Next<impl MessageBody>,
) -> Result<ServiceResponse<impl MessageBody>, Error> {
    if request.conn_data::<Refused>().is_some() {
        return Err(ApiError::TooManyConnections.into());
    }
    let Some(entry) = request.conn_data::<Entry>() else {
        return next.call(request).await;
    };
    let (sockets, socket) = (Arc::clone(&entry.sockets), Arc::clone(&entry.socket));
    let client = entry.client;
    socket.work();
    let answered = next.call(request).await;
    if let (Some(client), Ok(response)) = (client, &answered)
        && response.status() == StatusCode::UNAUTHORIZED
        && sockets.fail(client, Instant::now())
    {
        socket.deafen();
    }
    let longest = sockets.settings.get().config.limits.request_time();
    let bytes = match answered.as_ref().map(|answered| answered.response().body().size()) {
        Ok(BodySize::Sized(bytes)) => bytes,
        _ => 0,
    };
    socket.rest(longest + Duration::from_secs(bytes / READ_BYTES_PER_SECOND));
    answered
}

/// What counts as one client: an IPv4 address, or an IPv6 /64, which is one household or machine.
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
    fn failures_are_forgotten() {
        let (mut failures, start) = (Failures::default(), Instant::now());
        for _ in 0..FAILURES {
            failures.add(start);
        }
        assert!(!failures.are_too_many(start));
        failures.add(start);
        assert!(failures.are_too_many(start));
        let end = start + FAILURES_TIME;
        assert!(failures.are_too_many(end - Duration::from_millis(1)));
        assert!(!failures.are_too_many(end) && !failures.is_counting(end));
        failures.add(end);
        assert!(!failures.are_too_many(end) && failures.is_counting(end));
    }

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
