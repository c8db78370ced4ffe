//! The demo around a collector: a tracked site, a magazine that links to it, the site's form
//! handler, and a CRM that receives leads.
//!
//! `cargo xtask run` serves it as `clew-demo`; the end-to-end tests start it in-process. It plays a
//! customer of Clew, so it uses only the public contract (the script tag, `POST /v1/leads`, signed
//! webhooks) and none of the other crates. It is *not* part of the product: its data is in memory
//! and lost when it stops.

mod settings;

mod demo;
mod page;

mod contact;
mod crm;
mod news;
mod site;

pub use crate::contact::mailbox::{State, StoredSubmission};
pub use crate::contact::submission::Submission;
pub use crate::crm::book::{Attempt, Delivery};
pub use crate::demo::{Demo, Listeners, StartError};
pub use crate::settings::{Clock, Settings, system_clock};
