//! The fields of one touch: the sixteen of each click family, and the click ids.

use crate::channel::Channel;
use crate::time::rfc3339;
use crate::visit::Touch;
use serde_json::{Map, Value};
use url::Url;

/// Puts the sixteen fields of a touch under a family's prefix; nothing where there is no touch.
pub(super) fn put(fields: &mut Map<String, Value>, prefix: &str, touch: Option<&Touch>) {
    let Some(touch) = touch else { return };
    let label = &touch.label;
    let mut set = |suffix: &str, value: Value| {
        fields.insert(format!("{prefix}{suffix}"), value);
    };
    set("source", label.source.as_str().into());
    set("medium", label.medium.as_str().into());
    set("campaign", label.campaign.clone().into());
    set("campaign_id", label.campaign_id.clone().into());
    set("term", label.term.clone().into());
    set("content", label.content.clone().into());
    set("channel", label.channel.as_str().into());
    for (number, value) in drilldown(touch).into_iter().enumerate() {
        set(&format!("channel_drilldown_{}", number + 1), value.into());
    }
    set("landing_page", touch.landing_page.as_str().into());
    set("landing_page_group", path(touch).as_deref().map(group).into());
    set("referrer", label.referrer.clone().into());
    set("referrer_domain", label.referrer_host.clone().into());
    set("at", rfc3339(touch.at_ms).into());
}

/// The path that a touch landed on, short enough for a line of text.
pub(super) fn landing_path(touch: &Touch) -> String {
    super::cut(path(touch).unwrap_or_default(), 120)
}

/// The click ids last seen, and when the newest of them was.
pub(super) fn put_ids(fields: &mut Map<String, Value>, touches: &[Touch]) {
    for touch in touches {
        if let Some(id) = &touch.label.click_id {
            super::put(fields, &id.name, id.value.clone());
            super::put(fields, "click_id_at", rfc3339(touch.at_ms));
        }
    }
}

fn path(touch: &Touch) -> Option<String> {
    Url::parse(&touch.landing_page).ok().map(|url| url.path().to_owned())
}

/// The first path segment: `/blog/x` is `/blog`, the home page is `/`.
fn group(path: &str) -> String {
    let first = path.split('/').nth(1).unwrap_or_default();
    format!("/{first}")
}

/// What a channel is broken down by, coarsest first.
fn drilldown(touch: &Touch) -> [Option<String>; 4] {
    let label = &touch.label;
    let source = Some(label.source.clone());
    let (campaign, content, term) =
        (label.campaign.clone(), label.content.clone(), label.term.clone());
    match label.channel {
        Channel::PaidSearch | Channel::PaidShopping => [source, campaign, term, content],
        Channel::OrganicSearch | Channel::AiAssistant | Channel::OrganicShopping => {
            [source, label.referrer_host.clone(), path(touch), None]
        }
        Channel::Referral => [source, label.referrer.clone(), None, None],
        Channel::Direct => [None, None, path(touch), None],
        Channel::Offline => [source, None, None, None],
        Channel::Other => [source, Some(label.medium.clone()), campaign, content],
        _ => [source, campaign, content, term],
    }
}
