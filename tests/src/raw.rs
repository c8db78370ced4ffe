//! Connections whose every byte is the test's, from any address of this machine.

use std::io::ErrorKind;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::timeout;

/// The longest wait for an end that has to come.
const END: Duration = Duration::from_secs(20);

/// A connection.
pub struct Raw(TcpStream);

impl Raw {
    /// Connects from a loopback address to the address of a url.
    pub async fn connect(url: &str, from: &str) -> Self {
        let address: SocketAddr = url.strip_prefix("http://").unwrap().parse().unwrap();
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind(SocketAddr::new(from.parse().unwrap(), 0)).unwrap();
        Self(socket.connect(address).await.unwrap())
    }

    /// The same, with a first part of what is sent.
    pub async fn sending(url: &str, from: &str, text: &str) -> Self {
        let raw = Self::connect(url, from).await;
        raw.send(text.as_bytes()).await;
        raw
    }

    /// Sends all of it; `false` where the other side ended the connection.
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

    /// Reads until a text has come, or the other side has ended the connection; what came.
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
        timeout(END, read).await.expect("nothing came, and the connection did not end");
        String::from_utf8_lossy(&came).into_owned()
    }

    /// Reads until the other side has ended the connection; what came.
    pub async fn read_to_end(&self) -> String {
        // Nobody sends that.
        self.read_until("\u{0}").await
    }

    /// Says that nothing more will come, and reads to the end; what came.
    pub async fn end(self) -> String {
        let stream = self.0.into_std().unwrap();
        // It may be gone already.
        let _ = stream.shutdown(std::net::Shutdown::Write);
        let raw = Self(TcpStream::from_std(stream).unwrap());
        raw.read_to_end().await
    }

    /// Sends a byte again and again, too slowly to get anywhere; what came until the other side ended
    /// the connection.
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

/// The head of a request that announces a body.
pub fn post(path: &str, headers: &[(&str, &str)], body_bytes: usize) -> String {
    let headers: String =
        headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    format!("POST {path} HTTP/1.1\r\nhost: x\r\n{headers}content-length: {body_bytes}\r\n\r\n")
}

/// A request without a body.
pub fn get(path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nhost: x\r\n\r\n")
}
