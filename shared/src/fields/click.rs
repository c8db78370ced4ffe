//! The sixteen fields of a touch. A lead has them three times: for its first touch, its last touch
//! and its last touch that was not direct.

use super::address::{Address, without_query};
use super::kind::FieldKind;
use super::row::{Row, row};
use crate::channel::Channel;
use crate::source::registrable;
use crate::time::rfc3339;
use crate::visit::Touch;
use serde_json::Value;

/// One of a lead's three touches.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Family {
    /// The prefix of the field names, which is also the group.
    pub(super) name: &'static str,
    /// The prefix of the labels.
    pub(super) label: &'static str,
    /// The touch as descriptions call it.
    pub(super) touch: &'static str,
}

/// The three touches, in the order of exports.
pub(super) const FAMILIES: [Family; 3] = [
    Family { name: "first_click", label: "First click", touch: "first touch" },
    Family { name: "last_click", label: "Last click", touch: "last touch" },
    Family {
        name: "last_non_direct_click",
        label: "Last non-direct click",
        touch: "last touch that was not direct",
    },
];

/// Reads a field's value from a touch.
pub(super) type OfTouch = fn(&Click<'_>) -> Value;

/// The fields of each family; in descriptions `{touch}` becomes the family's touch.
pub(super) const SUFFIXES: [Row<OfTouch>; 16] = [
    row(
        "source",
        FieldKind::Text(255),
        "source",
        "The source of the {touch}: a platform's name, otherwise the referrer's host, otherwise `(direct)`.",
        |click| click.touch.label.source.as_str().into(),
    ),
    row(
        "medium",
        FieldKind::Text(255),
        "medium",
        "The medium of the {touch}: `utm_medium`, otherwise the medium that the origin implies, otherwise `(none)`.",
        |click| click.touch.label.medium.as_str().into(),
    ),
    row(
        "campaign",
        FieldKind::Text(255),
        "campaign",
        "The campaign of the {touch}, from `utm_campaign`.",
        |click| click.touch.label.campaign.as_deref().into(),
    ),
    row(
        "campaign_id",
        FieldKind::Text(64),
        "campaign id",
        "The campaign id of the {touch}: `utm_id`, or the advertising platform's own id.",
        |click| click.touch.label.campaign_id.as_deref().into(),
    ),
    row(
        "term",
        FieldKind::Text(255),
        "term",
        "The paid keyword of the {touch}, from `utm_term`; never a search word from a referrer.",
        |click| click.touch.label.term.as_deref().into(),
    ),
    row(
        "content",
        FieldKind::Text(255),
        "content",
        "The ad or link of the {touch}, from `utm_content`.",
        |click| click.touch.label.content.as_deref().into(),
    ),
    row(
        "channel",
        FieldKind::Channel,
        "channel",
        "The channel of the {touch}: one of these, or of your own rules.",
        |click| click.touch.label.channel.as_str().into(),
    ),
    row(
        "channel_drilldown_1",
        FieldKind::Text(255),
        "channel drill-down 1",
        "The first level below the channel of the {touch}, such as the platform or the domain.",
        |click| click.drilldown[0].into(),
    ),
    row(
        "channel_drilldown_2",
        FieldKind::Text(255),
        "channel drill-down 2",
        "The second level below the channel of the {touch}, such as the campaign.",
        |click| click.drilldown[1].into(),
    ),
    row(
        "channel_drilldown_3",
        FieldKind::Text(255),
        "channel drill-down 3",
        "The third level below the channel of the {touch}, such as the keyword or the landing page.",
        |click| click.drilldown[2].into(),
    ),
    row(
        "channel_drilldown_4",
        FieldKind::Text(255),
        "channel drill-down 4",
        "The fourth level below the channel of the {touch}, such as the ad.",
        |click| click.drilldown[3].into(),
    ),
    row(
        "landing_page",
        FieldKind::Url(2000),
        "landing page",
        "The landing page of the {touch}, without campaign tags, click ids and fragment.",
        |click| click.touch.landing_page.as_str().into(),
    ),
    row(
        "landing_page_group",
        FieldKind::Text(255),
        "landing page group",
        "The first path segment of the landing page of the {touch}: `/blog`, or `/` for the home page.",
        |click| click.landing.map(Address::group).into(),
    ),
    row(
        "referrer",
        FieldKind::Url(2000),
        "referrer",
        "The page that the {touch} came from, as far as the browser reported it.",
        |click| click.touch.label.referrer.as_deref().into(),
    ),
    row(
        "referrer_domain",
        FieldKind::Text(255),
        "referrer domain",
        "The registrable domain of the page that the {touch} came from; for an Android app its package.",
        |click| click.domain.into(),
    ),
    row("at", FieldKind::Time, "at", "When the {touch} began.", |click| {
        rfc3339(click.touch.at_ms).into()
    }),
];

/// A touch, with values that several of its fields need.
#[derive(Clone, Copy, Debug)]
pub(super) struct Click<'a> {
    touch: &'a Touch,
    landing: Option<Address<'a>>,
    domain: Option<&'a str>,
    drilldown: [Option<&'a str>; 4],
}

impl<'a> Click<'a> {
    pub(super) fn of(touch: &'a Touch) -> Self {
        let landing = Address::of(&touch.landing_page);
        let scheme = touch.label.referrer.as_deref().and_then(|url| url.split("://").next());
        let is_app = scheme.is_some_and(|scheme| scheme.ends_with("-app"));
        let host = touch.label.referrer_host.as_deref();
        let domain = if is_app { host } else { host.map(registrable) };
        let drilldown = drilldown(touch, landing, domain);
        Self { touch, landing, domain, drilldown }
    }
}

/// The drill-down of a touch's channel, coarsest first.
fn drilldown<'a>(
    touch: &'a Touch,
    landing: Option<Address<'a>>,
    domain: Option<&'a str>,
) -> [Option<&'a str>; 4] {
    let label = &touch.label;
    let source = Some(label.source.as_str());
    let campaign = label.campaign.as_deref();
    let (content, term) = (label.content.as_deref(), label.term.as_deref());
    let path = landing.map(|landing| landing.path);
    let referrer = label.referrer.as_deref();
    let host = || referrer.and_then(Address::of).map(|from| from.host);
    match label.channel {
        Channel::PaidSearch | Channel::PaidShopping | Channel::CrossNetwork => {
            [source, campaign, term, content]
        }
        Channel::OrganicSearch | Channel::OrganicShopping | Channel::AiAssistant => {
            [source, host(), path, None]
        }
        Channel::PaidSocial
        | Channel::OrganicSocial
        | Channel::Display
        | Channel::PaidVideo
        | Channel::OrganicVideo
        | Channel::Affiliates
        | Channel::PaidOther
        | Channel::Audio => [source, campaign, content, term],
        Channel::Email | Channel::Sms | Channel::MobilePush => [source, campaign, content, None],
        Channel::Referral => [domain.or(source), referrer.map(without_query), None, None],
        Channel::Direct => [None, None, path, None],
        Channel::Offline => [source, campaign, None, None],
        Channel::Other | Channel::Own(_) => [source, Some(&label.medium), campaign, content],
    }
}
