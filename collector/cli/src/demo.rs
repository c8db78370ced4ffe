//! `clew demo`: a realistic year of journeys and leads; the same seed gives the same year.
//!
//! Uses the collector's own path (wire, steps, store, conversion) with a clock set to the time of
//! each act, so everything in the store could have come from browsers. Destinations get nothing.

mod story;

use crate::progress;
use crate::say::say;
use crate::store::{ensure_whole, open_store};
use anyhow::{Context, Result, anyhow};
use clap::Args;
use clew_core::{Clock, Random};
use clew_server::{App, server};
use collector::config::Config;
use collector::conversion::read_request;
use collector::ingest::Request;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use serde_json::json;
use shared::ids::{EventId, SiteId};
use shared::limits::DAY_MS;
use shared::time::{parse_rfc3339, rfc3339};
use shared::wire::Kind;
use shared::wire::encode::{Event, Header};
use std::sync::Arc;
use story::{Act, Person};

#[derive(Debug, Args)]
pub(crate) struct Demo {
    /// Site to fill; its first host is used in page URLs.
    #[arg(long, value_parser = crate::init::site)]
    site: SiteId,
    /// Number of visitors.
    #[arg(long, default_value_t = 2_000)]
    visitors: u32,
    /// Random seed; each seed gives a different year.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Last day of the year, such as 2026-11-21; today by default.
    #[arg(long, value_name = "DATE")]
    until: Option<String>,
}

/// The User-Agent of every visitor.
const BROWSER: &str = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/156.0.0.0 Safari/537.36";

impl Demo {
    pub(crate) fn run(&self, config: &Config) -> Result<()> {
        let until_ms = match &self.until {
            Some(day) => parse_rfc3339(&format!("{day}T00:00:00Z"))
                .context("--until: should be a date such as 2026-11-21")?,
            None => Clock::system().now_ms() / DAY_MS * DAY_MS,
        };
        let mut config = config.clone();
        config.destinations.clear();
        config.crm.clear();
        let host = config
            .site(&self.site)
            .with_context(|| format!("the configuration has no site `{}`", self.site))?;
        let origin = format!("https://{}", host.hosts[0].trim_start_matches("*."));
        let store = open_store(&config)?;
        let app = App::new(
            config,
            Arc::clone(&store),
            Clock::fixed(until_ms),
            Random::seeded(self.seed),
        )?;
        let conversions = server::block_on(async {
            ensure_whole(&*store).await?;
            let conversions = self.send_events(&app, &origin, until_ms).await;
            store.close().await?;
            conversions
        })?;
        say(format_args!(
            "created {} visitors and {conversions} conversions, starting at {}",
            self.visitors,
            rfc3339(until_ms - 365 * DAY_MS)
        ));
        Ok(())
    }

    async fn send_events(&self, app: &App, origin: &str, until_ms: i64) -> Result<u32> {
        let mut random = ChaCha8Rng::seed_from_u64(self.seed);
        let mut conversions = 0;
        let bar = progress::bar(self.visitors.into(), "visitors");
        for number in 0..self.visitors {
            bar.inc(1);
            let person = Person::invent(&mut random, number, until_ms - 365 * DAY_MS, until_ms);
            for act in &person.acts {
                conversions += u32::from(matches!(act, Act::Convert { .. }));
                self.play(app, origin, &person, act).await?;
            }
        }
        bar.finish_and_clear();
        Ok(conversions)
    }

    async fn play(&self, app: &App, origin: &str, person: &Person, act: &Act) -> Result<()> {
        app.core.clock.set_ms(act.at_ms());
        match act {
            Act::View { at_ms, path, query, referrer, engaged_ms, scroll_pct } => {
                let page = EventId::new(*at_ms, app.core.random.bytes());
                let mut view = Event::new(page, *at_ms, page, Kind::PageView);
                let url = format!("{origin}{path}{query}");
                (view.url, view.referrer, view.title) = (&url, referrer, story::title(path));
                let ended_ms = at_ms + i64::from(*engaged_ms);
                let engagement = EventId::new(ended_ms, app.core.random.bytes());
                let mut engagement = Event::new(engagement, ended_ms, page, Kind::Engagement);
                (engagement.engaged_ms, engagement.scroll_pct) = (*engaged_ms, *scroll_pct);
                let visitor = person.visitor.to_text();
                let header = Header {
                    site: self.site.as_str(),
                    visitor: &visitor,
                    sent_at_ms: ended_ms,
                    sender: "module",
                    ..Header::default()
                };
                let body =
                    header.batch([view.to_json(), engagement.to_json()].iter().map(String::as_str));
                let request =
                    Request { user_agent: BROWSER, received_at_ms: ended_ms, ..Request::default() };
                let settings = app.settings.get();
                let accepted = app.ingest.accept(&settings, request, body.as_bytes()).await?;
                match accepted.dropped.first() {
                    Some((_, reason)) => {
                        Err(anyhow!("the collector dropped a demo event: {}", reason.as_str()))
                    }
                    None => Ok(()),
                }
            }
            Act::Convert { .. } => {
                let body = json!({
                    "visitor": person.visitor,
                    "contact": { "email": person.email(), "company": person.company() },
                    "form": { "id": "contact", "name": "Contact us" },
                    "page": { "url": format!("{origin}/contact"), "title": story::title("/contact") },
                });
                let request = read_request(body.to_string().as_bytes())?;
                let settings = app.settings.get();
                app.conversions.from_request(&settings, &self.site, request, None).await?;
                Ok(())
            }
        }
    }
}
