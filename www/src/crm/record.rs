//! A lead as shown on the CRM's pages: its newest fields in groups, its journey, its deliveries.
//!
//! A pure function of the received messages. They may arrive out of order; the one with the latest
//! event time counts.

mod fields;

use crate::crm::book::Received;
use crate::crm::payload::{Event, Journey, Lead};
use crate::crm::timeline::{Timeline, timeline};
use crate::crm::words::{self, Badge};
pub(crate) use fields::{Group, Shown};
use serde_json::Value;
use std::borrow::Cow;
use std::cmp::Reverse;
use std::collections::HashMap;

/// A row of the list of leads.
#[derive(Debug)]
pub(crate) struct Summary {
    pub(crate) person: Person,
    pub(crate) first: Click,
    pub(crate) last: Click,
    pub(crate) received: String,
}

/// The page of one lead.
#[derive(Debug)]
pub(crate) struct Record {
    pub(crate) person: Person,
    pub(crate) tiles: Vec<Tile>,
    pub(crate) groups: Vec<Group>,
    pub(crate) timeline: Timeline,
    /// There is a journey, but the messages do not contain it.
    pub(crate) journey_cut: bool,
    pub(crate) deliveries: Vec<DeliveryLine>,
}

#[derive(Debug)]
pub(crate) struct Person {
    pub(crate) lead_id: String,
    pub(crate) name: String,
    pub(crate) initials: String,
    pub(crate) email: String,
    pub(crate) company: String,
    pub(crate) phone: String,
    pub(crate) stage: Option<Badge>,
}

/// Where one click came from.
#[derive(Debug)]
pub(crate) struct Click {
    pub(crate) channel: Option<Badge>,
    pub(crate) source: String,
    pub(crate) medium: String,
}

/// A figure in large type.
#[derive(Debug)]
pub(crate) struct Tile {
    pub(crate) label: &'static str,
    pub(crate) value: String,
}

#[derive(Debug)]
pub(crate) struct DeliveryLine {
    pub(crate) webhook_id: String,
    pub(crate) kind: String,
    pub(crate) received: String,
    pub(crate) attempts: u32,
}

/// Newest first.
pub(crate) fn summaries(received: &[Received]) -> Vec<Summary> {
    let mut files: Vec<File<'_>> = files(received);
    files.sort_by_key(|file| Reverse(file.place));
    files
        .iter()
        .map(|file| Summary {
            person: file.person(),
            first: file.click("first_click"),
            last: file.click("last_click"),
            received: words::moment_of_ms(received[file.place].received_at_ms),
        })
        .collect()
}

pub(crate) fn record(received: &[Received], lead_id: &str) -> Option<Record> {
    let file = files(received).into_iter().find(|file| file.lead.lead_id == lead_id)?;
    let timeline = file.journey.as_deref().map(timeline).unwrap_or_default();
    Some(Record {
        person: file.person(),
        tiles: file.tiles(&timeline),
        groups: fields::groups(&file.lead.fields),
        journey_cut: timeline.days.is_empty()
            && file.number("touchpoints_count").is_some_and(|n| n > 0),
        timeline,
        deliveries: file.messages.iter().rev().map(|message| delivery_line(message)).collect(),
    })
}

/// All messages about one lead.
struct File<'a> {
    /// The index, in the order of receipt, of the newest message about it.
    place: usize,
    /// In the order of the event times.
    messages: Vec<&'a Received>,
    lead: &'a Lead,
    journey: Option<Cow<'a, Journey>>,
    stage: Option<&'a str>,
}

fn files(received: &[Received]) -> Vec<File<'_>> {
    let mut by_lead: HashMap<&str, (usize, Vec<&Received>)> = HashMap::new();
    for (place, message) in received.iter().enumerate() {
        let lead_id = match &message.message.event {
            Event::Lead(lead) => &lead.lead_id,
            Event::Stage(change) => &change.lead_id,
            Event::Other => continue,
        };
        let (newest, messages) = by_lead.entry(lead_id).or_default();
        *newest = place;
        messages.push(message);
    }
    by_lead.into_values().filter_map(|(place, messages)| file(place, messages)).collect()
}

/// `None` for a lead of which only stages are known.
fn file(place: usize, mut messages: Vec<&Received>) -> Option<File<'_>> {
    messages.sort_by_key(|message| message.message.at);
    let (mut newest, mut journey, mut stage) = (None, None, None);
    for message in &messages {
        match &message.message.event {
            Event::Lead(lead) => {
                newest = Some(&**lead);
                journey = lead.journey().or(journey);
                stage = lead.fields.get("lead_stage").and_then(Value::as_str).or(stage);
            }
            Event::Stage(change) => stage = Some(&change.to),
            Event::Other => {}
        }
    }
    newest.map(|lead| File { place, messages, lead, journey, stage })
}

impl File<'_> {
    /// The value of a text field, if it is not empty.
    fn text(&self, name: &str) -> Option<&str> {
        self.lead.fields.get(name).and_then(Value::as_str).filter(|text| !text.is_empty())
    }

    fn number(&self, name: &str) -> Option<u64> {
        self.lead.fields.get(name).and_then(Value::as_u64)
    }

    fn person(&self) -> Person {
        let names = [self.text("first_name"), self.text("last_name")];
        let parts: Vec<&str> = names.into_iter().flatten().collect();
        let email = self.text("email").unwrap_or_default();
        let name = match self.text("full_name") {
            Some(name) => name.to_owned(),
            None if parts.is_empty() => email.to_owned(),
            None => parts.join(" "),
        };
        let initial = |part: &str| part.chars().find(|letter| letter.is_alphanumeric());
        let initials: String = name
            .split_whitespace()
            .filter_map(initial)
            .take(2)
            .flat_map(char::to_uppercase)
            .collect();
        Person {
            lead_id: self.lead.lead_id.clone(),
            name: if name.is_empty() { "Unnamed lead".to_owned() } else { name },
            initials: if initials.is_empty() { "?".to_owned() } else { initials },
            email: email.to_owned(),
            company: self.text("company").unwrap_or_default().to_owned(),
            phone: self.text("phone").unwrap_or_default().to_owned(),
            stage: self.stage.map(words::stage),
        }
    }

    fn click(&self, family: &str) -> Click {
        let text = |suffix: &str| self.text(&format!("{family}_{suffix}"));
        Click {
            channel: text("channel").map(words::channel),
            source: text("source").unwrap_or_default().to_owned(),
            medium: text("medium").unwrap_or_default().to_owned(),
        }
    }

    fn tiles(&self, timeline: &Timeline) -> Vec<Tile> {
        let number = |name: &str| self.number(name).map(|number| number.to_string());
        let to_convert = self.number("seconds_to_convert").map(words::duration);
        let engaged = Some(timeline.engaged_ms / 1000).filter(|seconds| *seconds > 0);
        [
            ("Touches", number("touchpoints_count")),
            ("Visits", number("visits_count")),
            ("Page views", number("pageviews_count")),
            ("Engaged", engaged.map(words::duration)),
            ("First click to lead", to_convert),
        ]
        .into_iter()
        .filter_map(|(label, value)| Some(Tile { label, value: value? }))
        .collect()
    }
}

fn delivery_line(received: &Received) -> DeliveryLine {
    let kind = received.message.body.get("type").and_then(Value::as_str).unwrap_or_default();
    DeliveryLine {
        webhook_id: received.webhook_id.clone(),
        kind: kind.to_owned(),
        received: words::moment_of_ms(received.received_at_ms),
        attempts: received.attempts,
    }
}
