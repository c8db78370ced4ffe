//! A client that costs little: attackers, browsers and the collector share one machine.

use std::io::{Error, ErrorKind, Result};
use std::net::SocketAddr;
use tests::app::USER_AGENT;
use tests::settings::KEY;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

const READ_BYTES: usize = 64 * 1024;

/// A connection that is kept as long as the collector keeps it.
pub(crate) struct Connection {
    address: SocketAddr,
    stream: Option<TcpStream>,
}

/// An answer.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) retry_after_s: Option<u64>,
    pub(crate) body: Vec<u8>,
}

impl Connection {
    pub(crate) fn to(address: SocketAddr) -> Self {
        Self { address, stream: None }
    }

    /// Sends a request and reads its answer whole. A future that is dropped gives the connection up.
    pub(crate) async fn ask(&mut self, request: &str) -> Result<Answer> {
        if let Some(stream) = self.stream.take() {
            // The collector may have closed it in the meantime.
            if let Ok(answer) = self.ask_on(stream, request).await {
                return Ok(answer);
            }
        }
        let stream = TcpStream::connect(self.address).await?;
        stream.set_nodelay(true)?;
        self.ask_on(stream, request).await
    }

    async fn ask_on(&mut self, mut stream: TcpStream, request: &str) -> Result<Answer> {
        stream.write_all(request.as_bytes()).await?;
        let (head, mut body) = read_head(&mut stream).await?;
        let header = |name: &str| {
            let mut lines = head.lines().filter_map(|line| line.split_once(": "));
            lines.find_map(|(found, value)| found.eq_ignore_ascii_case(name).then_some(value))
        };
        let status = head.get(9..12).and_then(|status| status.parse().ok());
        let length = header("content-length").and_then(|length| length.parse().ok()).unwrap_or(0);
        while body.len() < length {
            read_more(&mut stream, &mut body).await?;
        }
        if header("connection").is_none_or(|connection| connection != "close") {
            self.stream = Some(stream);
        }
        Ok(Answer {
            status: status.ok_or(ErrorKind::InvalidData)?,
            retry_after_s: header("retry-after").and_then(|seconds| seconds.parse().ok()),
            body,
        })
    }
}

/// The head, and what came behind it.
async fn read_head(stream: &mut TcpStream) -> Result<(String, Vec<u8>)> {
    let mut came = Vec::new();
    loop {
        read_more(stream, &mut came).await?;
        if let Some(end) = came.windows(4).position(|end| end == b"\r\n\r\n") {
            let body = came.split_off(end + 4);
            return Ok((String::from_utf8_lossy(&came).into_owned(), body));
        }
    }
}

async fn read_more(stream: &mut TcpStream, came: &mut Vec<u8>) -> Result<()> {
    came.reserve(READ_BYTES);
    match stream.read_buf(came).await? {
        0 => Err(Error::from(ErrorKind::UnexpectedEof)),
        _ => Ok(()),
    }
}

/// A browser's batch, as a proxy passes it on.
pub(crate) fn batch_from(client: &str, body: &str) -> String {
    format!(
        "POST /c/e HTTP/1.1\r\nhost: x\r\norigin: https://www.example.com\r\nuser-agent: {USER_AGENT}\r\n\
         x-forwarded-for: {client}\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
}

/// A form handler's lead, the same one however often it is sent.
pub(crate) fn lead(idempotency: &str, body: &str) -> String {
    format!(
        "POST /v1/leads HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {KEY}\r\n\
         idempotency-key: {idempotency}\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
}

/// What an operator or a program with a key reads.
pub(crate) fn get(path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {KEY}\r\n\r\n")
}
