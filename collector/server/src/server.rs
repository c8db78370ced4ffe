//! The HTTP servers: for the public, for operators and for commands. Each function starts one and
//! returns a handle that stops it.

use crate::app::App;
use crate::http;
use crate::sockets::{self, Sockets};
use crate::{files, request_id};
use actix_web::dev::{Server, ServerHandle};
use actix_web::middleware::from_fn;
use actix_web::rt::task::JoinHandle;
use actix_web::web::ServiceConfig;
use actix_web::{App as ActixApp, HttpServer};
use std::fs::Permissions;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::sync::Arc;
use std::thread::available_parallelism;
use std::time::Duration;

/// How long requests in progress may take after a stop was requested, in seconds.
const STOP_SECONDS: u64 = 10;
/// How long a connection may stay idle between two requests.
const KEEP_ALIVE: Duration = Duration::from_secs(5);
/// How long a client may take to notice that its connection was closed.
const DISCONNECT: Duration = Duration::from_secs(1);
/// Connections that the system queues until they are accepted. With the default of 128, a burst of
/// new visitors overflows the queue, and their browsers retry a second later.
const BACKLOG: i32 = 1024;
/// Open connections of operators, at most.
const OPERATOR_CONNECTIONS: usize = 32;

/// A server that runs in the background until it is stopped.
pub struct Serving {
    server: ServerHandle,
    sweep: Option<JoinHandle<()>>,
}

impl Serving {
    fn start(server: Server, sweep: Option<JoinHandle<()>>) -> Self {
        let handle = server.handle();
        actix_web::rt::spawn(server);
        Self { server: handle, sweep }
    }

    /// Stops accepting requests and waits for those in progress.
    pub async fn stop(self) {
        self.server.stop(true).await;
        if let Some(sweep) = self.sweep {
            sweep.abort();
        }
    }
}

/// Runs a command's work in the runtime that actix-web needs.
pub fn block_on<F: Future>(work: F) -> F::Output {
    actix_web::rt::System::new().block_on(work)
}

/// Starts the server for commands on a Unix socket; only the owner of the socket's file can
/// connect.
///
/// # Errors
/// If the socket cannot be created, for example because its path is longer than about 100 bytes.
pub fn serve_commands(path: &Path, app: &Arc<App>) -> std::io::Result<Serving> {
    // A killed collector leaves its socket behind; this collector has the store now.
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let listener = UnixListener::bind(path)?;
    std::fs::set_permissions(path, Permissions::from_mode(0o600))?;
    let app = Arc::clone(app);
    let server = HttpServer::new(move || {
        ActixApp::new()
            .configure(|config| app.provide(config))
            .wrap(from_fn(http::count_answers))
            .wrap(from_fn(request_id::identify))
            .wrap(http::no_sniffing())
            .configure(http::command_routes)
            .configure(http::no_other_routes)
    });
    let server = server.workers(1).disable_signals().shutdown_timeout(STOP_SECONDS);
    Ok(Serving::start(server.listen_uds(listener)?.run(), None))
}

/// Starts the server for operators. It has its own thread and connections, so it responds even
/// while the public address is busy or full.
///
/// # Errors
/// If the listener cannot be used.
pub fn serve_operators(listener: TcpListener, app: &Arc<App>) -> std::io::Result<Serving> {
    let request_time = app.settings.get().config.limits.request_time();
    let app = Arc::clone(app);
    let server = HttpServer::new(move || {
        ActixApp::new()
            .configure(|config| app.provide(config))
            .wrap(from_fn(http::count_answers))
            .wrap(from_fn(request_id::identify))
            .wrap(http::no_sniffing())
            .configure(http::operator_routes)
            .configure(http::no_other_routes)
    });
    let server = server
        .workers(1)
        .max_connections(OPERATOR_CONNECTIONS)
        .keep_alive(KEEP_ALIVE)
        .client_request_timeout(request_time)
        .client_disconnect_timeout(DISCONNECT)
        .disable_signals()
        .shutdown_timeout(STOP_SECONDS);
    Ok(Serving::start(server.listen(listener)?.run(), None))
}

/// Starts the server for the public address. It handles no signals; that is up to the caller.
///
/// # Errors
/// If the listener cannot be used.
pub fn serve(listener: TcpListener, app: &Arc<App>) -> std::io::Result<Serving> {
    let settings = app.settings.get();
    let config = &settings.config;
    let workers = match config.workers {
        0 => available_parallelism().map_or(1, usize::from),
        workers => workers,
    };
    rustix::net::listen(&listener, BACKLOG)?;
    // Each worker gets an equal share of the connections.
    let per_worker = (files::connections(config) / workers).max(1);
    let open = Sockets::new(
        Arc::clone(&app.core),
        Arc::clone(&app.settings),
        per_worker.saturating_mul(workers),
    );
    let sweep = actix_web::rt::spawn(Arc::clone(&open).sweep());
    let own_routes = match config.operator_listen {
        Some(_) => |_: &mut ServiceConfig| {},
        None => http::operator_routes,
    };
    let (app, prefix) = (Arc::clone(app), config.prefix.clone());
    let server = HttpServer::new(move || {
        ActixApp::new()
            .configure(|config| app.provide(config))
            .wrap(from_fn(http::refuse_unknown))
            .wrap(from_fn(http::count_answers))
            .wrap(from_fn(http::slow_down))
            .wrap(from_fn(request_id::identify))
            .wrap(from_fn(sockets::watch))
            .wrap(http::no_sniffing())
            .configure(|routes| http::routes(routes, &prefix))
            .configure(own_routes)
            .configure(http::no_other_routes)
    });
    let request_time = config.limits.request_time();
    let server = server
        .workers(workers)
        .max_connections(per_worker)
        .on_connect(move |connection, data| open.accept(connection, data))
        // Shorter than the request time, so that an idle connection is closed before it counts as
        // slow.
        .keep_alive(KEEP_ALIVE.min(request_time / 2))
        .client_request_timeout(request_time)
        .client_disconnect_timeout(DISCONNECT)
        .disable_signals()
        .shutdown_timeout(STOP_SECONDS);
    Ok(Serving::start(server.listen(listener)?.run(), Some(sweep)))
}
