//! Attacks by connections, straight from an address that is nobody's proxy.

use super::Field;
use crate::target::HOOK;
use std::future::Future;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::rc::Rc;
use std::time::Duration;
use tests::raw::post;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::task::LocalSet;
use tokio::time::{sleep, timeout_at};

/// Where the attackers are.
const FROM: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 2);
const DRIPPED: Duration = Duration::from_secs(1);

async fn connect(field: &Field) -> io::Result<TcpStream> {
    let socket = TcpSocket::new_v4()?;
    socket.set_reuseaddr(true)?;
    socket.bind(SocketAddr::new(FROM.into(), 0))?;
    socket.connect(field.address).await
}

/// Holds so many connections: each does what it does until the collector ends it, and then comes again.
async fn hold<Held>(
    field: Rc<Field>,
    connections: u32,
    each: impl Fn(TcpStream, u32) -> Held + Copy + 'static,
) where
    Held: Future<Output = io::Result<u16>> + 'static,
{
    let (tasks, pause) = (LocalSet::new(), Duration::from_secs(1) * connections / field.crowd.rate);
    for number in 0..connections {
        let field = Rc::clone(&field);
        tasks.spawn_local(async move {
            let mut turn = number;
            while !field.is_over() {
                let held = async { each(connect(&field).await?, turn).await };
                match timeout_at(field.until.into(), held).await {
                    Ok(status) => field.answered(status.unwrap_or(0)),
                    // It was still held at the end.
                    Err(_) => return,
                }
                turn += 1;
                sleep(pause).await;
            }
        });
    }
    tasks.await;
}

/// The status that comes, whatever else does; 0 where the connection ends without.
async fn status(stream: &mut TcpStream) -> io::Result<u16> {
    let mut head = [0; 64];
    let mut length = 0;
    while length < 12 {
        match stream.read(&mut head[length..]).await? {
            0 => return Ok(0),
            read => length += read,
        }
    }
    Ok(std::str::from_utf8(&head[9..12]).ok().and_then(|status| status.parse().ok()).unwrap_or(0))
}

/// 1,500 bodies, a byte a second.
pub(super) async fn drip(field: Rc<Field>) {
    hold(field, 1_500, |mut stream, _| async move {
        stream.write_all(post("/c/e", &[], 60_000).as_bytes()).await?;
        let (mut reads, mut writes) = stream.split();
        let drip = async {
            loop {
                sleep(DRIPPED).await;
                if writes.write_all(b"x").await.is_err() {
                    return std::future::pending::<()>().await;
                }
            }
        };
        let answered = async {
            let mut head = [0; 12];
            reads.read_exact(&mut head).await?;
            Ok(std::str::from_utf8(&head[9..]).ok().and_then(|text| text.parse().ok()).unwrap_or(0))
        };
        tokio::select! {
            () = drip => Ok(0),
            status = answered => status,
        }
    })
    .await;
}

/// 2,000 bodies of a MiB without their last byte.
pub(super) async fn hooks(field: Rc<Field>) {
    const BODY: usize = 1 << 20;
    hold(field, 2_000, |mut stream, _| async move {
        stream.write_all(post(HOOK, &[], BODY).as_bytes()).await?;
        let part = [b' '; 32 * 1024];
        for _ in 1..BODY / part.len() {
            if stream.write_all(&part).await.is_err() {
                break;
            }
        }
        let _ = stream.write_all(&part[1..]).await;
        status(&mut stream).await
    })
    .await;
}

/// Four connections at a time, one after the other.
pub(super) async fn noise(field: Rc<Field>) {
    hold(field, 4, |mut stream, turn| async move {
        let text = match turn % 2 {
            0 => "\u{16}\u{3}\u{1} this is not HTTP\r\n\r\n".to_owned(),
            _ => post(HOOK, &[("connection", "close")], 2) + "{}",
        };
        stream.write_all(text.as_bytes()).await?;
        status(&mut stream).await
    })
    .await;
}
