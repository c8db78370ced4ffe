//! All limits of the wire format and of the rules, in one place.
//!
//! The tracker stays within them before it sends; the collector refuses what exceeds them, with the
//! outcome named in each line. Sizes are in bytes and times in milliseconds, unless the name says
//! otherwise.

/// A batch's body; larger ones are refused as `too_large`. Browsers allow 64 KiB for all pending
/// `keepalive` requests together.
pub const BODY_BYTES: usize = 64 * 1024;
/// Events in one batch; a larger batch is refused as `too_many_events`.
pub const BATCH_EVENTS: usize = 250;
/// Page and referrer URLs. The tracker cuts longer ones; the collector drops them as `too_long`.
pub const URL_BYTES: usize = 8 * 1024;
/// Titles, form and event names, and each value of a contact.
pub const TEXT_BYTES: usize = 512;
/// A value of a contact that could not be used, as typed.
pub const RAW_BYTES: usize = 2 * 1024;
/// How many leads are noted that share a lead's phone number.
pub const PHONE_SHARED_WITH: usize = 20;
/// How many older leads are noted that may be the same person as a lead.
pub const LEAD_LIKENESSES: usize = 20;
/// How many leads can be merged into one.
pub const LEAD_MERGES: usize = 20;
/// How long before a conversion a touch counts for a person who shares the browser.
pub const SHARED_LOOK_BACK_MS: i64 = 90 * DAY_MS;
/// An e-mail address.
pub const EMAIL_BYTES: usize = 254;
/// A custom event's properties as JSON text.
pub const PROPS_BYTES: usize = 4 * 1024;
/// The host that a page was left for; longer ones are cut. No DNS name is longer.
pub const HOST_BYTES: usize = 253;
/// Stored addresses; also the length of the fields that show them.
pub const STORED_URL_BYTES: usize = 2_000;
/// Stored tags; also the length of the fields that show them.
pub const TAG_BYTES: usize = 255;
/// A click id's value.
pub const CLICK_ID_BYTES: usize = 512;

/// Clock skew up to this is accepted; above it, the browser's times are corrected by the skew.
pub const CLOCK_SKEW_MS: i64 = 10_000;
/// Events older than this after correction are dropped as `too_old`.
pub const EVENT_AGE_MS: i64 = 30 * DAY_MS;
/// Events further in the future than this after correction are dropped as `in_future`.
pub const EVENT_AHEAD_MS: i64 = 60 * 60 * 1000;
/// A page view's time is at most this long before its browser was first heard of.
pub const EVENT_BACK_DATED_MS: i64 = DAY_MS;
/// Engaged time that one page view can report; more is `invalid_event`.
pub const ENGAGED_MS: i64 = DAY_MS;

/// Page views kept one by one for each visitor, and as many actions. Few people read more in one
/// browser; older ones are summed up, so that reading a journey stays cheap.
pub const VISITOR_ROWS: usize = 500;
/// Rows summed up at once when a visitor has more than that, so that it happens rarely.
pub const VISITOR_SUMMED_UP: usize = 100;
/// Touches kept of what is summed up: the first and the newest.
pub const PAST_TOUCHES: usize = 100;
/// Departures kept of what is summed up: the newest.
pub const PAST_DEPARTURES: usize = 64;
/// Touches, page views and conversions shown with a lead; the full lists are paged.
pub const SHOWN: usize = 200;
/// Browsers joined to one lead; a conversion in a further browser is stored without its journey.
pub const LEAD_JOINS: usize = 500;
/// How many of them only a page may name. Anybody can report from a page, so this leaves room for
/// verified browsers.
pub const LEAD_PAGE_JOINS: usize = 50;
/// Conversions of one lead; further ones are refused.
pub const LEAD_CONVERSIONS: u32 = 1_000;
/// How many of them only a page may report.
pub const LEAD_PAGE_CONVERSIONS: u32 = 100;
/// Conversions of a proposed lead.
pub const PROPOSED_CONVERSIONS: u32 = 10;
/// Page views of a lead's browsers read for one response. Browsers beyond that are left out, but
/// never the first one joined.
pub const LEAD_PAGE_VIEWS: usize = 5_000;
/// Their approximate size in memory.
pub const LEAD_BYTES: usize = 16 * 1024 * 1024;
/// Persons that one batch can identify; further ones are `too_many_events`.
pub const BATCH_PERSONS: usize = 5;
/// A stored value's size; longer ones are stored in chunks (sled 0.34 does not sync larger blobs).
pub const VALUE_BYTES: usize = 16 * 1024;

/// A visit ends after this long without activity.
pub const VISIT_IDLE_MS: i64 = 30 * 60 * 1000;
/// A visit lasts no longer than this.
pub const VISIT_LENGTH_MS: i64 = DAY_MS;
/// A visit that starts with an own or excluded referrer continues the last touch if the visitor was
/// active within this time.
pub const CONTINUE_MS: i64 = DAY_MS;
/// A return from a host that the page was left for less than this long ago is not a new touch.
pub const PAIRED_MS: i64 = 60 * 60 * 1000;
/// Departures kept per page view: the first ones.
pub const DEPARTURES: usize = 8;

/// A page counts as engaged after this long,
pub const ENGAGED_PAGE_MS: u32 = 10_000;
/// or when at least this much of it was seen
pub const ENGAGED_SCROLL_PCT: u8 = 50;
/// for at least this long.
pub const ENGAGED_SCROLL_MS: u32 = 3_000;

/// The lifetime of the visitor's cookie; every response renews it. Browsers allow no more.
pub const COOKIE_SECONDS: u32 = 400 * 24 * 60 * 60;
/// The lifetime of a sealed token; every response to a page brings a new one.
pub const TOKEN_AGE_MS: i64 = 30 * DAY_MS;
/// How long an idempotency key is remembered.
pub const IDEMPOTENCY_MS: i64 = DAY_MS;
/// The longest id of a deal.
pub const DEAL_BYTES: usize = 128;
/// Reported stages and deals older than this are refused.
pub const RECORD_AGE_MS: i64 = 20 * 366 * DAY_MS;
/// The longest idempotency key.
pub const IDEMPOTENCY_KEY_BYTES: usize = 255;
/// The size of a webhook's body; above it the journey is left out, then `journey_json`.
pub const WEBHOOK_BODY_BYTES: usize = 20_000;
/// The size of a CRM's webhook that is accepted; Salesforce's, with a hundred notifications, are
/// the largest.
pub const WEBHOOK_IN_BYTES: usize = 1024 * 1024;
/// The size of `journey_json` in a webhook, which leaves room for the rest of the body.
pub const WEBHOOK_JOURNEY_BYTES: usize = WEBHOOK_BODY_BYTES / 3;
/// The size of `journey_json` and `journey_summary` when no CRM sets a limit.
pub const JOURNEY_BYTES: usize = 64 * 1024;

/// One day.
pub const DAY_MS: i64 = 24 * 60 * 60 * 1000;
