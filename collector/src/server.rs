//! The HTTP server: takes a bound listener, gives back a handle that stops it.

use crate::app::App;
use crate::http;
use actix_web::dev::Server;
use actix_web::web::Data;
use actix_web::{App as ActixApp, HttpServer};
use std::net::TcpListener;
use std::sync::Arc;

/// Seconds that requests under way may take once a stop was asked for.
const STOP_SECONDS: u64 = 10;

/// Serves until told to stop by the handle; who listens for signals is the caller's choice.
///
/// # Errors
/// Where the listener cannot be used.
pub fn serve(listener: TcpListener, app: &Arc<App>) -> std::io::Result<Server> {
    let data = Data::from(Arc::clone(app));
    let prefix = app.config.prefix.clone();
    let mut server = HttpServer::new(move || {
        ActixApp::new().app_data(data.clone()).configure(|routes| http::routes(routes, &prefix))
    })
    .disable_signals()
    .shutdown_timeout(STOP_SECONDS);
    if app.config.workers > 0 {
        server = server.workers(app.config.workers);
    }
    Ok(server.listen(listener)?.run())
}
