//! The HTTP servers: the public one, the operators' and the one for commands. Each takes what it listens
//! on and returns a handle that stops it.

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

/// Seconds that requests under way may take once a stop was asked for.
const STOP_SECONDS: u64 = 10;
/// How long a connection may stay open without a byte between two requests.
const KEEP_ALIVE: Duration = Duration::from_secs(5);
/// How long a client may take to notice that its connection was ended.
const DISCONNECT: Duration = Duration::from_secs(1);
/// Connections that the system keeps until they are accepted. With the 128 that a listener is made with, a
/// burst of new visitors is dropped and comes again a second later.
const BACKLOG: i32 = 1024;
/// Connections of operators at once.
const OPERATOR_CONNECTIONS: usize = 32;

/// A running server; it serves in the background until it is stopped.
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

    /// Takes no more requests and waits for those under way.
    pub async fn stop(self) {
        self.server.stop(true).await;
        if let Some(sweep) = self.sweep {
            sweep.abort();
        }
    }
}

/// Runs a command's work in the runtime that the server needs.
pub fn block_on<F: Future>(work: F) -> F::Output {
    actix_web::rt::System::new().block_on(work)
}

/// Begins to answer commands on a socket file; whoever may open the file may ask.
///
/// # Errors
/// Where the file cannot be made, as under a path of more than a hundred bytes.
pub fn serve_commands(path: &Path, app: &Arc<App>) -> std::io::Result<Serving> {
    // A collector that was killed left its own; the store is this one's now.
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

/// Begins to answer operators' machines: by a thread and with connections of its own, so that it answers
/// while the public address is busy or full.
///
/// # Errors
/// Where the listener cannot be used.
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

/// Begins to serve the public address. Who listens for signals is the caller's choice.
///
/// # Errors
/// Where the listener cannot be used.
pub fn serve(listener: TcpListener, app: &Arc<App>) -> std::io::Result<Serving> {
    let settings = app.settings.get();
    let config = &settings.config;
    let workers = match config.workers {
        0 => available_parallelism().map_or(1, usize::from),
        workers => workers,
    };
    rustix::net::listen(&listener, BACKLOG)?;
    // Each worker takes its share; together they take no more than that.
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
            .wrap(from_fn(http::count_answers))
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
        // An idle connection ends by this before it counts as slow.
        .keep_alive(KEEP_ALIVE.min(request_time / 2))
        .client_request_timeout(request_time)
        .client_disconnect_timeout(DISCONNECT)
        .disable_signals()
        .shutdown_timeout(STOP_SECONDS);
    Ok(Serving::start(server.listen(listener)?.run(), Some(sweep)))
}
