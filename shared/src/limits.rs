//! Every limit of the wire and of the rules, once.
//!
//! The tracker keeps within them before it sends; the collector refuses what exceeds them with the
//! outcome that each line names. Sizes are bytes, times are milliseconds unless the name says more.

/// A batch's body. Browsers give `keepalive` requests 64 KiB in all; more is `too_large`.
pub const BODY_BYTES: usize = 64 * 1024;
/// Events in one batch; more and the batch is refused as `too_many_events`.
pub const BATCH_EVENTS: usize = 250;
/// Page and referrer URLs. The tracker cuts, the collector drops as `too_long`.
pub const URL_BYTES: usize = 8 * 1024;
/// Titles, form and event names, and a contact's single values.
pub const TEXT_BYTES: usize = 512;
/// An e-mail address.
pub const EMAIL_BYTES: usize = 254;
/// A custom event's properties as JSON text.
pub const PROPS_BYTES: usize = 4 * 1024;
/// The host that a page was left for; names are no longer, and more is cut.
pub const HOST_BYTES: usize = 253;
/// Addresses as stored, the length of the fields that show them.
pub const STORED_URL_BYTES: usize = 2_000;
/// Tags as stored, the length of the fields that show them.
pub const TAG_BYTES: usize = 255;
/// A click id's value.
pub const CLICK_ID_BYTES: usize = 512;

/// Below this the browser's clock is believed; above, its times are corrected by the skew.
pub const CLOCK_SKEW_MS: i64 = 10_000;
/// Events that are older after correction are dropped as `too_old`.
pub const EVENT_AGE_MS: i64 = 30 * DAY_MS;
/// Events further ahead after correction are dropped as `in_future`.
pub const EVENT_AHEAD_MS: i64 = 60 * 60 * 1000;
/// A page view is dated no longer than this before its browser was first heard of.
pub const EVENT_BACK_DATED_MS: i64 = DAY_MS;
/// Engaged time that one page view can claim; more is `invalid_event`.
pub const ENGAGED_MS: i64 = DAY_MS;

/// Page views of one visitor that are kept one by one, and as many actions. Few people read more in one
/// browser; older ones are summed up, so that reading a journey stays cheap.
pub const VISITOR_ROWS: usize = 500;
/// Rows that are summed up at once where a visitor has more than that, so that it happens seldom.
pub const VISITOR_SUMMED_UP: usize = 100;
/// Touches that are kept of what is summed up: the first and the newest.
pub const PAST_TOUCHES: usize = 100;
/// Departures that are kept of what is summed up: the newest.
pub const PAST_DEPARTURES: usize = 64;
/// Touches, page views and conversions that are shown beside a lead; all of them are read page by page.
pub const SHOWN: usize = 200;
/// Browsers joined to one lead; a conversion in a further one is stored without its journey.
pub const LEAD_JOINS: usize = 500;
/// Browsers among them that only a page named; what anybody may say leaves room for what is known.
pub const LEAD_PAGE_JOINS: usize = 50;
/// Conversions of one lead; further ones are refused.
pub const LEAD_CONVERSIONS: u32 = 1_000;
/// Conversions among them that only a page reported.
pub const LEAD_PAGE_CONVERSIONS: u32 = 100;
/// Conversions of a lead that is only proposed.
pub const PROPOSED_CONVERSIONS: u32 = 10;
/// Page views of a lead's browsers that are read for an answer; browsers beyond them are left out, the
/// first that was joined never.
pub const LEAD_PAGE_VIEWS: usize = 5_000;
/// Their size in memory, about.
pub const LEAD_BYTES: usize = 16 * 1024 * 1024;
/// Persons that one batch can name; further ones are `too_many_events`.
pub const BATCH_PERSONS: usize = 5;
/// A stored value's size; longer ones are stored in chunks (sled 0.34 does not sync larger blobs).
pub const VALUE_BYTES: usize = 16 * 1024;

/// A visit ends after this long without activity.
pub const VISIT_IDLE_MS: i64 = 30 * 60 * 1000;
/// A visit lasts no longer than this.
pub const VISIT_LENGTH_MS: i64 = DAY_MS;
/// A visit that opens with an own or excluded referrer continues a touch that is younger than this.
pub const CONTINUE_MS: i64 = DAY_MS;
/// A return from a host that was left for less than this long ago is no new contact.
pub const PAIRED_MS: i64 = 60 * 60 * 1000;
/// Departures kept of one page view: the first.
pub const DEPARTURES: usize = 8;

/// A page is engaged after this long,
pub const ENGAGED_PAGE_MS: u32 = 10_000;
/// or when at least this much of it was seen
pub const ENGAGED_SCROLL_PCT: u8 = 50;
/// for at least this long.
pub const ENGAGED_SCROLL_MS: u32 = 3_000;

/// The visitor's cookie lives this long, and every answer renews it. Browsers allow no more.
pub const COOKIE_SECONDS: u32 = 400 * 24 * 60 * 60;
/// A sealed token names its visitor this long; every answer to a page brings a new one.
pub const TOKEN_AGE_MS: i64 = 30 * DAY_MS;
/// An idempotency key is remembered this long.
pub const IDEMPOTENCY_MS: i64 = DAY_MS;
/// The longest id of a deal.
pub const DEAL_BYTES: usize = 128;
/// Stages and deals that are told of longer ago are refused.
pub const RECORD_AGE_MS: i64 = 20 * 366 * DAY_MS;
/// The longest idempotency key.
pub const IDEMPOTENCY_KEY_BYTES: usize = 255;
/// A webhook's body; above it the journey is left out, then `journey_json`.
pub const WEBHOOK_BODY_BYTES: usize = 20_000;
/// A CRM's webhook that is taken; Salesforce's hundred notifications are the longest.
pub const WEBHOOK_IN_BYTES: usize = 1024 * 1024;
/// `journey_json` in a webhook, so that the rest of the body has room beside it.
pub const WEBHOOK_JOURNEY_BYTES: usize = WEBHOOK_BODY_BYTES / 3;
/// `journey_json` and `journey_summary` where no CRM sets a limit.
pub const JOURNEY_BYTES: usize = 64 * 1024;

/// One day.
pub const DAY_MS: i64 = 24 * 60 * 60 * 1000;
