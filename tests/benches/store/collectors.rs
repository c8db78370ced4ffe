//! Collectors on the measured stores, and a cheap client, because it shares the machine with them.

use clew_core::{Clock, Random};
use clew_server::App;
use clew_server::server::{self, Serving};
use clew_store::Store;
use collector::config::Config;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Instant;
use tests::settings::settings_for;
use tests::storage::Storage;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// A collector with its own store.
pub(crate) struct Collector {
    pub(crate) app: Arc<App>,
    pub(crate) address: SocketAddr,
    serving: Serving,
}

impl Collector {
    /// Serves a storage, with the store that `open` makes of the settings.
    pub(crate) fn start(storage: &Storage, open: impl FnOnce(&Config) -> Arc<dyn Store>) -> Self {
        Self::start_with(storage, "", open)
    }

    /// Like [`start`](Self::start), with more settings.
    pub(crate) fn start_with(
        storage: &Storage,
        more: &str,
        open: impl FnOnce(&Config) -> Arc<dyn Store>,
    ) -> Self {
        let config = Config::parse(&(settings_for(&storage.url()) + more), &[]).unwrap();
        let store = open(&config);
        let app = App::new(config, store, Clock::system(), Random::system()).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let serving = server::serve(listener, &app).unwrap();
        Self { app, address, serving }
    }

    /// Stops serving and closes the store.
    pub(crate) async fn stop(self) {
        self.serving.stop().await;
        self.app.core.store.close().await.unwrap();
    }
}

/// A persistent connection.
pub(crate) struct Connection {
    stream: TcpStream,
    answer: Vec<u8>,
}

impl Connection {
    pub(crate) async fn open(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).await.unwrap();
        stream.set_nodelay(true).unwrap();
        Self { stream, answer: vec![0; 256 * 1024] }
    }

    /// Sends a request and reads the whole response. Returns the microseconds it took, and the
    /// response.
    pub(crate) async fn ask(&mut self, request: &str) -> (u32, &str) {
        let sent = Instant::now();
        self.stream.write_all(request.as_bytes()).await.unwrap();
        let mut length = 0;
        loop {
            let read = self.stream.read(&mut self.answer[length..]).await.unwrap();
            assert!(read > 0, "the collector closed the connection");
            length += read;
            if is_whole(&self.answer[..length]) {
                break;
            }
        }
        let taken_us = sent.elapsed().as_micros() as u32;
        (taken_us, std::str::from_utf8(&self.answer[..length]).unwrap())
    }
}

/// Whether a response is complete, by the length in its head.
fn is_whole(answer: &[u8]) -> bool {
    let Some(head) = answer.windows(4).position(|end| end == b"\r\n\r\n") else { return false };
    let text = std::str::from_utf8(&answer[..head]).unwrap();
    let mut headers = text.lines().filter_map(|line| line.split_once(": "));
    let body = headers.find(|(name, _)| name.eq_ignore_ascii_case("content-length"));
    answer.len() == head + 4 + body.map_or(0, |(_, length)| length.parse().unwrap())
}
