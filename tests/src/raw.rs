//! Raw connections, in which the test controls every byte, from any loopback address.

use std::io::ErrorKind;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::timeout;

/// The longest wait for the other side to send or to end the connection.
const END: Duration = Duration::from_secs(20);

/// A connection.
pub struct Raw(TcpStream);

impl Raw {
    /// Connects from a loopback address to the address in a URL.
    pub async fn connect(url: &str, from: &str) -> Self {
        let address: SocketAddr = url.strip_prefix("http://").unwrap().parse().unwrap();
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind(SocketAddr::new(from.parse().unwrap(), 0)).unwrap();
        Self(socket.connect(address).await.unwrap())
    }

    /// Like [`connect`](Self::connect), and sends a first text.
    pub async fn sending(url: &str, from: &str, text: &str) -> Self {
        let raw = Self::connect(url, from).await;
        raw.send(text.as_bytes()).await;
        raw
    }

    /// Sends all bytes. Returns `false` if the other side ended the connection.
    pub async fn send(&self, mut bytes: &[u8]) -> bool {
        while !bytes.is_empty() {
            if self.0.writable().await.is_err() {
                return false;
            }
            match self.0.try_write(bytes) {
                Ok(written) => bytes = &bytes[written..],
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                Err(_) => return false,
            }
        }
        true
    }

    /// Reads until a text has arrived or the other side ended the connection. Returns what arrived.
    pub async fn read_until(&self, text: &str) -> String {
        let mut came = Vec::new();
        let read = async {
            let mut bytes = [0; 4096];
            while !String::from_utf8_lossy(&came).contains(text) {
                self.0.readable().await.unwrap();
                match self.0.try_read(&mut bytes) {
                    Ok(0) => break,
                    Ok(read) => came.extend_from_slice(&bytes[..read]),
                    Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                    Err(_) => break,
                }
            }
        };
        timeout(END, read).await.expect("the text did not arrive, and the connection did not end");
        String::from_utf8_lossy(&came).into_owned()
    }

    /// Reads until the other side ended the connection. Returns what arrived.
    pub async fn read_to_end(&self) -> String {
        // Nobody sends a NUL.
        self.read_until("\u{0}").await
    }

    /// Closes the sending side and reads to the end. Returns what arrived.
    pub async fn end(self) -> String {
        let stream = self.0.into_std().unwrap();
        // The other side may have ended the connection already.
        let _ = stream.shutdown(std::net::Shutdown::Write);
        let raw = Self(TcpStream::from_std(stream).unwrap());
        raw.read_to_end().await
    }

    /// Sends single bytes, too slowly to make progress. Returns what arrived until the other side
    /// ended the connection.
    pub async fn drip(&self) -> String {
        let mut drops = tokio::time::interval(Duration::from_millis(50));
        let drip = async {
            loop {
                drops.tick().await;
                if !self.send(b"x").await {
                    return std::future::pending::<()>().await;
                }
            }
        };
        tokio::select! {
            () = drip => String::new(),
            came = self.read_to_end() => came,
        }
    }
}

/// The head of a request with a body of the given length.
pub fn post(path: &str, headers: &[(&str, &str)], body_bytes: usize) -> String {
    let headers: String =
        headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    format!("POST {path} HTTP/1.1\r\nhost: x\r\n{headers}content-length: {body_bytes}\r\n\r\n")
}

/// A request without a body.
pub fn get(path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nhost: x\r\n\r\n")
}
