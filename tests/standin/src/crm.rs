//! What a vendor's stand-in provides. The server and the control API use only this.

use crate::book::Book;
use crate::exchange::{Answer, Request};
use crate::fault::Limit;
use crate::webhook::{Emit, Message, Sealed};
use crate::world::{Settings, World};
use serde_json::Value;

/// The constants of a vendor's stand-in.
pub(crate) struct Profile {
    /// The vendor's name, as it writes it.
    pub(crate) title: &'static str,
    /// The port that `crm-standin` serves it on by default.
    pub(crate) port: u16,
    /// The settings that it starts with.
    pub(crate) settings: fn() -> Settings,
    /// The route of a record in the vendor's own pages; `id` in it is the record's id.
    pub(crate) record_page: &'static str,
    /// The member of a record in [`MemoryCrm::records`] that holds its id.
    pub(crate) id: &'static str,
    /// Creates an empty CRM that is served at the given address.
    pub(crate) make: fn(&str, &mut World) -> Box<dyn MemoryCrm>,
}

/// A vendor's CRM in memory.
pub(crate) trait MemoryCrm: Send {
    /// Answers a request to one of the vendor's paths.
    fn answer(&mut self, world: &mut World, request: &Request) -> Answer;

    /// All stored records, by kind of object.
    fn records(&self, world: &World) -> Value;

    /// The content of the page for people.
    fn book(&self) -> Book;

    /// Stores a record as if a person had typed it, without the API's checks. Returns its id.
    fn put(&mut self, world: &mut World, object: &str, fields: &Value) -> Result<String, String>;

    /// Does what a person can do in the vendor's pages but the API has no path for.
    fn act(&mut self, _world: &mut World, _action: &Value) -> Result<Value, String> {
        Err("this vendor's stand-in has no actions".to_owned())
    }

    /// Uses up a limit, or refuses the next requests.
    fn limit(&mut self, world: &World, limit: &Limit) -> Result<(), String>;

    /// Ends all access tokens; with `all`, also the tokens and keys from which new ones are issued.
    fn expire_tokens(&mut self, all: bool);

    /// Changes a record as a person does. Returns the webhooks that report the change.
    fn emit(&mut self, _world: &mut World, _emit: &Emit) -> Result<Vec<Message>, String> {
        Err("this vendor sends no webhooks".to_owned())
    }

    /// The headers and body of one attempt at a message, signed if the vendor signs.
    fn seal(&self, _world: &World, _message: &Message, _url: &str) -> Sealed {
        Sealed { headers: Vec::new(), body: String::new() }
    }

    /// Whether the vendor accepts the response to a webhook as a receipt.
    fn is_acknowledged(&self, status: u16, _body: &str) -> bool {
        (200..300).contains(&status)
    }
}
