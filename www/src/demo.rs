//! Starts the three servers on listeners that are already bound, and stops them.
//!
//! A bound listener queues connections, so the demo is ready as soon as [`Demo::start`] returns.

use crate::contact::ContactHandler;
use crate::contact::mailbox::StoredSubmission;
use crate::crm::book::{Attempt, Book, Delivery};
use crate::crm::signature::{BadSecret, Verifier};
use crate::settings::Settings;
use crate::site::Shell;
use crate::{crm, news, site};
use actix_web::dev::{Server, ServerHandle};
use actix_web::{App, HttpServer, web};
use std::io;
use std::net::TcpListener;
use std::sync::Arc;
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// One bound socket for each server; port 0 is fine.
pub struct Listeners {
    /// The demo site and its form handler.
    pub site: TcpListener,
    /// The magazine that links to the demo site.
    pub news: TcpListener,
    /// The CRM that receives webhooks.
    pub crm: TcpListener,
}

/// Why the demo did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error("cannot use a listener: {0}")]
    Listener(#[from] io::Error),
    #[error("the webhook secret is invalid: {0}")]
    Secret(#[from] BadSecret),
    #[error("cannot create the HTTP client: {0}")]
    Client(#[from] reqwest::Error),
}

/// The running demo. Dropping it leaves the servers running; [`Demo::stop`] stops them.
pub struct Demo {
    site_url: String,
    news_url: String,
    crm_url: String,
    contact: Arc<ContactHandler>,
    book: Arc<Book>,
    handles: Vec<ServerHandle>,
    servers: Vec<JoinHandle<io::Result<()>>>,
    retries: Option<JoinHandle<()>>,
}

impl Demo {
    /// Starts all servers. Must be called inside a tokio (or actix) runtime.
    pub fn start(settings: Settings, listeners: Listeners) -> Result<Self, StartError> {
        let Listeners { site, news, crm } = listeners;
        let (listening_at, news_url, crm_url) = (url_of(&site)?, url_of(&news)?, url_of(&crm)?);
        let site_url = match &settings.public_site_url {
            Some(url) => url.trim_end_matches('/').to_owned(),
            None => listening_at,
        };

        let verifier = web::Data::new(Verifier::new(&settings.webhook_secret)?);
        let shell = web::Data::new(Shell::new(&settings, &site_url));
        let contact = Arc::new(ContactHandler::new(&settings)?);
        let book = Arc::new(Book::new(settings.now));

        let (contact_data, links) = (web::Data::from(contact.clone()), site_url.clone());
        let book_data = web::Data::from(book.clone());
        let servers = [
            serve(site, move |config| site::configure(config, &shell, &contact_data))?,
            serve(news, move |config| news::configure(config, &links))?,
            serve(crm, move |config| crm::configure(config, &verifier, &book_data))?,
        ];
        let handles = servers.iter().map(Server::handle).collect();
        let servers = servers.map(tokio::spawn).into();
        let retries = settings.retry_every.map(|every| {
            let contact = contact.clone();
            tokio::spawn(async move { contact.keep_retrying(every).await })
        });
        Ok(Self { site_url, news_url, crm_url, contact, book, handles, servers, retries })
    }

    /// The demo site's URL as browsers see it, without a trailing slash.
    pub fn site_url(&self) -> &str {
        &self.site_url
    }

    /// The magazine's URL, without a trailing slash.
    pub fn news_url(&self) -> &str {
        &self.news_url
    }

    /// The CRM's URL, without a trailing slash; it receives webhooks at `/webhook`.
    pub fn crm_url(&self) -> &str {
        &self.crm_url
    }

    /// Makes `/webhook` respond to valid requests with this status and keep nothing; `None` makes
    /// it work again.
    pub fn set_failing(&self, status: Option<u16>) {
        self.book.set_failing(status);
    }

    /// The deliveries that the CRM has kept, oldest first, as in `GET /api/deliveries`.
    pub fn deliveries(&self) -> Vec<Delivery> {
        self.book.deliveries()
    }

    /// All requests to `/webhook`, oldest first, as in `GET /api/attempts`.
    pub fn attempts(&self) -> Vec<Attempt> {
        self.book.attempts()
    }

    /// Counts the requests to `/webhook`, so that a test can wait for one instead of sleeping.
    pub fn watch_attempts(&self) -> watch::Receiver<u64> {
        self.book.watch()
    }

    /// The contact form's submissions and their states, oldest first.
    pub fn submissions(&self) -> Vec<StoredSubmission> {
        self.contact.submissions()
    }

    /// Sends waiting submissions again; returns how many the collector accepted.
    pub async fn retry_waiting(&self) -> usize {
        self.contact.retry_waiting().await
    }

    /// Stops the servers and the retries, and waits until they have ended.
    pub async fn stop(self) {
        if let Some(retries) = self.retries {
            retries.abort();
        }
        for handle in &self.handles {
            handle.stop(true).await;
        }
        for server in self.servers {
            if let Err(error) = server.await {
                tracing::error!(%error, "a demo server did not stop cleanly");
            }
        }
    }
}

fn url_of(listener: &TcpListener) -> io::Result<String> {
    Ok(format!("http://{}", listener.local_addr()?))
}

fn serve<F>(listener: TcpListener, configure: F) -> io::Result<Server>
where
    F: Fn(&mut web::ServiceConfig) + Clone + Send + 'static,
{
    let server = HttpServer::new(move || App::new().configure(configure.clone()))
        .workers(1)
        .shutdown_timeout(1)
        // The binary handles signals itself; a test must not be stopped by one of its servers.
        .disable_signals()
        .listen(listener)?
        .run();
    Ok(server)
}
