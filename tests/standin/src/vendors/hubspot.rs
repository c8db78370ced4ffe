//! HubSpot: the routes `/crm/objects/2026-09/…` and the older `/crm/v3/…`, which behave the same.

mod error;
mod auth;
mod limits;
mod schema;
mod fixtures;
mod record;
mod account;
mod value;
mod object;
mod write;
mod contacts;
mod batch;
mod search;
mod associations;
mod properties;
mod webhooks;
mod book;
pub mod signature;

use self::account::Account;
use self::record::Record;
use self::schema::Kind;
use crate::book::Book;
use crate::crm::{MemoryCrm, Profile};
use crate::exchange::{Answer, Outcome, Request};
use crate::fault::Limit;
use crate::webhook::{Emit, Message, Sealed};
use crate::world::{Settings, World};
use serde_json::Value;

/// HubSpot's stand-in.
pub(super) static PROFILE: Profile = Profile {
    title: "HubSpot",
    port: 8084,
    settings: Settings::default,
    record_page: "/contacts/{account}/record/0-1/{id}",
    id: "id",
    make: |_, world| Box::new(Account::new(world)),
};

impl Account {
    /// Checks the token, then the limits, then routes, in HubSpot's own order.
    fn judge(&mut self, world: &mut World, request: &Request) -> Outcome {
        let segments = request.segments();
        let segments: Vec<&str> = segments.iter().map(String::as_str).collect();
        if let ["oauth", "2026-03" | "v3" | "v1", "token"] = segments[..] {
            return self.tokens.issue(world, request);
        }
        let is_service_key = self.tokens.check(world, request)?;
        let is_search = segments.last() == Some(&"search");
        self.limits.count(world, is_search)?;
        let answer = self.route(world, request, &segments).unwrap_or_else(|refused| refused);
        if is_search {
            return Ok(answer);
        }
        Ok(self.limits.add_headers(world, answer, is_service_key))
    }

    fn route(&mut self, world: &mut World, request: &Request, segments: &[&str]) -> Outcome {
        match *segments {
            ["crm", "objects", "2026-09", kind, ref rest @ ..]
            | ["crm", "v3", "objects", kind, ref rest @ ..] => {
                let kind = error::kind(world, kind)?;
                self.objects_route(world, request, kind, rest)
            }
            ["crm", "properties", "2026-09", kind, ref rest @ ..]
            | ["crm", "v3", "properties", kind, ref rest @ ..] => {
                let kind = error::kind(world, kind)?;
                properties::route(self, world, request, kind, rest)
            }
            ["crm", "pipelines", "2026-09", "deals"] | ["crm", "v3", "pipelines", "deals"] => {
                error::only(world, request, "GET")?;
                auth::need(world, "crm.objects.deals.read")?;
                Ok(Answer::json(200, fixtures::pipelines()))
            }
            ["crm", "associations", "2026-09", from, to, "batch", "read"] => {
                associations::read(self, world, request, (from, to), associations::Style::Dated)
            }
            ["crm", "v4", "associations", from, to, "batch", "read"] => {
                associations::read(self, world, request, (from, to), associations::Style::V4)
            }
            ["crm", "v3", "associations", from, to, "batch", "read"] => {
                associations::read(self, world, request, (from, to), associations::Style::V3)
            }
            _ => Err(error::not_found(world, "resource not found")),
        }
    }

    fn objects_route(
        &mut self,
        world: &mut World,
        request: &Request,
        kind: Kind,
        rest: &[&str],
    ) -> Outcome {
        let method = request.method.as_str();
        let writes = !matches!((method, rest), ("GET", _) | (_, ["search"] | ["batch", "read"]));
        auth::need(world, kind.scope(writes))?;
        match (method, rest) {
            ("POST", []) => write::create(self, world, request, kind),
            ("GET", []) => object::list(self, world, request, kind),
            ("POST", ["search"]) => search::search(self, world, request, kind),
            ("POST", ["merge"]) if kind == Kind::Contact => contacts::merge(self, world, request),
            ("POST", ["batch", "upsert"]) => batch::upsert(self, world, request, kind),
            ("POST", ["batch", "read"]) => batch::read(self, world, request, kind),
            ("POST", ["batch", "create"]) => batch::create(self, world, request, kind),
            ("POST", ["batch", "update"]) => batch::update(self, world, request, kind),
            ("POST", ["batch", "archive"]) => batch::archive(self, world, request, kind),
            (_, ["search" | "merge"] | ["batch", _] | []) => Err(error::wrong_method(world)),
            ("GET", [id]) => object::get(self, world, request, kind, id),
            ("PATCH", [id]) => write::update(self, world, request, kind, id),
            ("DELETE", [id]) => object::archive(self, world, kind, id),
            (_, [_]) => Err(error::wrong_method(world)),
            _ => Err(error::not_found(world, "resource not found")),
        }
    }
}

impl MemoryCrm for Account {
    fn answer(&mut self, world: &mut World, request: &Request) -> Answer {
        self.judge(world, request).unwrap_or_else(|refused| refused)
    }

    fn records(&self, _: &World) -> Value {
        self.objects.show(&self.schema)
    }

    fn book(&self) -> Book {
        book::book(PROFILE.title, &self.objects)
    }

    fn put(&mut self, world: &mut World, object: &str, fields: &Value) -> Result<String, String> {
        let kind = Kind::named(object).ok_or_else(|| format!("no object type {object}"))?;
        let fields = fields.as_object().ok_or("fields is an object of texts")?;
        let mut record = Record::new(world.next_number(), kind, world.now_ms());
        record.change(fields, world.now_ms())?;
        Ok(self.objects.insert(record).to_string())
    }

    fn act(&mut self, _: &mut World, action: &Value) -> Result<Value, String> {
        associations::act(&mut self.objects, action)
    }

    fn limit(&mut self, world: &World, limit: &Limit) -> Result<(), String> {
        self.limits.apply_limit(world, limit)
    }

    fn expire_tokens(&mut self, all: bool) {
        self.tokens.expire(all);
    }

    fn emit(&mut self, world: &mut World, emit: &Emit) -> Result<Vec<Message>, String> {
        webhooks::emit(self, world, emit)
    }

    fn seal(&self, world: &World, message: &Message, url: &str) -> Sealed {
        webhooks::seal(world, message, url)
    }

    fn is_acknowledged(&self, status: u16, _: &str) -> bool {
        (200..300).contains(&status)
    }
}
