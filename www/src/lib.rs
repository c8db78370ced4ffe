//! The demo around the collector: a tracked site, a magazine that links to it, the site's form
//! handler, and a CRM that receives leads.
//!
//! `cargo xtask run` serves it as `clew-demo`, and the end-to-end tests start it in-process. It is
//! what a customer of Clew would have, so it knows only the public contract (the script tag,
//! `POST /v1/leads`, signed webhooks) and nothing of the other crates. It is *not* part of the
//! product: everything it keeps lies in memory and is gone when it stops.

mod settings;

mod demo;
mod page;

mod contact;
mod crm;
mod news;
mod site;

pub use crate::contact::mailbox::{Kept, State};
pub use crate::contact::submission::Submission;
pub use crate::crm::book::{Attempt, Delivery};
pub use crate::demo::{Demo, Listeners, StartError};
pub use crate::settings::{Clock, Settings, system_clock};
