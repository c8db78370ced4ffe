//! The HTTP server: takes a bound listener, returns a handle that stops it.

use crate::app::App;
use crate::{http, request_id};
use actix_web::dev::{Server, ServerHandle};
use actix_web::middleware::from_fn;
use actix_web::{App as ActixApp, HttpServer};
use std::fs::Permissions;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::sync::Arc;

/// Seconds that requests under way may take once a stop was asked for.
const STOP_SECONDS: u64 = 10;

/// A running server; it serves in the background until it is stopped.
pub struct Serving(ServerHandle);

impl Serving {
    /// Takes no more requests and waits for those under way.
    pub async fn stop(self) {
        self.0.stop(true).await;
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
pub fn serve_operator(path: &Path, app: &Arc<App>) -> std::io::Result<Serving> {
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
            .wrap(from_fn(request_id::identify))
            .wrap(http::no_sniffing())
            .configure(http::operator_routes)
    });
    let server = server.workers(1).disable_signals().shutdown_timeout(STOP_SECONDS);
    let server: Server = server.listen_uds(listener)?.run();
    let handle = server.handle();
    actix_web::rt::spawn(server);
    Ok(Serving(handle))
}

/// Begins to serve. Who listens for signals is the caller's choice.
///
/// # Errors
/// Where the listener cannot be used.
pub fn serve(listener: TcpListener, app: &Arc<App>) -> std::io::Result<Serving> {
    let (app, settings) = (Arc::clone(app), app.settings.get());
    let prefix = settings.config.prefix.clone();
    let mut server = HttpServer::new(move || {
        ActixApp::new()
            .configure(|config| app.provide(config))
            .wrap(from_fn(http::count_answers))
            .wrap(from_fn(request_id::identify))
            .wrap(http::no_sniffing())
            .configure(|routes| http::routes(routes, &prefix))
    })
    .disable_signals()
    .shutdown_timeout(STOP_SECONDS);
    if settings.config.workers > 0 {
        server = server.workers(settings.config.workers);
    }
    let server: Server = server.listen(listener)?.run();
    let handle = server.handle();
    actix_web::rt::spawn(server);
    Ok(Serving(handle))
}
