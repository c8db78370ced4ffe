//! Salesforce: an organization with its REST API, outbound messages, and actions in its pages.

mod error;
mod auth;
mod limits;
mod schema;
mod fixtures;
mod record;
mod value;
mod write;
mod upsert;
mod soql;
mod query;
mod instance;
mod composite;
mod tooling;
mod convert;
mod outbound;
mod book;

use self::instance::Instance;
use crate::book::Book;
use crate::crm::{MemoryCrm, Profile};
use crate::exchange::{Answer, Outcome, Request};
use crate::fault::Limit;
use crate::webhook::{Emit, Message, Sealed};
use crate::world::{Settings, World};
use serde_json::Value;

/// Salesforce's stand-in.
pub(super) static PROFILE: Profile = Profile {
    title: "Salesforce",
    port: 8085,
    settings: || Settings { daily: 15_000, ..Settings::default() },
    record_page: "/{id:[0-9A-Za-z]{18}}",
    id: "Id",
    make: |url, world| Box::new(Instance::new(url, world)),
};

impl Instance {
    /// Checks the session, then the daily limit, then routes.
    fn judge(&mut self, world: &mut World, request: &Request) -> Outcome {
        let segments = request.segments();
        let segments: Vec<&str> = segments.iter().map(String::as_str).collect();
        if segments == ["services", "oauth2", "token"] {
            return self.sessions.issue(world, request, &self.url);
        }
        self.sessions.check(request)?;
        let answer = match self.usage.count(world) {
            Ok(()) => self.route(world, request).unwrap_or_else(|refused| refused),
            Err(refused) => refused,
        };
        Ok(self.usage.add_headers(world, answer))
    }

    /// Answers requests under `/services/data/v68.0`, and the parts of a composite request.
    fn route(&mut self, world: &mut World, request: &Request) -> Outcome {
        self.org.schema.has_currency = world.settings.multi_currency;
        let segments = request.segments();
        let segments: Vec<&str> = segments.iter().map(String::as_str).collect();
        let (version, rest) = match segments[..] {
            ["services", "data", version, ref rest @ ..] if is_version(version) => (version, rest),
            _ => return Err(error::not_found()),
        };
        match (request.method.as_str(), rest) {
            ("GET", ["query"]) => query::run(&self.org, &mut self.cursors, world, request, version),
            ("GET", ["query", cursor]) => query::next(&mut self.cursors, cursor, version),
            ("GET", ["limits"]) => Ok(self.usage.show(world)),
            ("POST", ["composite"]) => composite::run(self, world, request, Self::route),
            ("PATCH", ["composite", "sobjects", object, key]) => {
                composite::upsert(&mut self.org, world, request, object, key)
            }
            ("POST", ["tooling", "sobjects", "CustomField"]) => {
                tooling::custom_field(&mut self.org, world, request)
            }
            (_, ["query"] | ["query", _] | ["limits"] | ["composite", ..]) => {
                Err(error::wrong_method(request))
            }
            (_, ["tooling", "sobjects", "CustomField"]) => Err(error::wrong_method(request)),
            (_, ["sobjects", object, rest @ ..]) => {
                self.org.schema.object(object).ok_or_else(error::not_found)?;
                self.sobject(world, request, version, object, rest)
            }
            _ => Err(error::not_found()),
        }
    }

    fn sobject(
        &mut self,
        world: &mut World,
        request: &Request,
        version: &str,
        object: &str,
        rest: &[&str],
    ) -> Outcome {
        match (request.method.as_str(), rest) {
            ("POST", []) => write::create(&mut self.org, world, request, object),
            ("GET", ["describe"]) => Ok(Answer::json(200, self.org.schema.describe(object))),
            ("GET", ["deleted"]) => query::deleted(&self.org, world, request, object),
            ("GET", [id]) => query::read(&self.org, request, object, id, version),
            ("PATCH", [id]) => write::update(&mut self.org, world, request, object, id),
            ("DELETE", [id]) => write::delete(&mut self.org, world, object, id),
            ("PATCH", [key, value]) => {
                upsert::run(&mut self.org, world, request, (object, key, value))
            }
            ("GET", [key, value]) => upsert::read(&self.org, (object, key, value), version),
            (_, [] | [_] | [_, _]) => Err(error::wrong_method(request)),
            _ => Err(error::not_found()),
        }
    }
}

/// Whether it is a version of the API that is served.
fn is_version(text: &str) -> bool {
    let number = text.strip_prefix('v').and_then(|text| text.strip_suffix(".0"));
    number.and_then(|text| text.parse::<u32>().ok()).is_some_and(|it| (60..=68).contains(&it))
}

impl MemoryCrm for Instance {
    fn answer(&mut self, world: &mut World, request: &Request) -> Answer {
        self.judge(world, request).unwrap_or_else(|refused| refused)
    }

    fn records(&self, _: &World) -> Value {
        self.org.show()
    }

    fn book(&self) -> Book {
        book::book(PROFILE.title, &self.org)
    }

    fn put(&mut self, world: &mut World, object: &str, fields: &Value) -> Result<String, String> {
        if self.org.schema.object(object).is_none() {
            return Err(format!("no object {object}"));
        }
        let now_ms = world.now_ms();
        let id = self.org.add(world.next_number(), object, fields, now_ms);
        write::follow(&mut self.org, world, &id);
        Ok(id)
    }

    fn act(&mut self, world: &mut World, action: &Value) -> Result<Value, String> {
        convert::act(&mut self.org, world, action)
    }

    fn limit(&mut self, world: &World, limit: &Limit) -> Result<(), String> {
        self.usage.apply_limit(world, limit)
    }

    fn expire_tokens(&mut self, all: bool) {
        self.sessions.expire(all);
    }

    fn emit(&mut self, world: &mut World, emit: &Emit) -> Result<Vec<Message>, String> {
        outbound::emit(&mut self.org, world, emit)
    }

    fn seal(&self, _: &World, message: &Message, _: &str) -> Sealed {
        outbound::seal(message, &self.url)
    }

    fn is_acknowledged(&self, status: u16, body: &str) -> bool {
        status == 200 && outbound::is_yes(body)
    }
}
