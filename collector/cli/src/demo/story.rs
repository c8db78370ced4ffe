//! The demo's visitors: where they come from, what they read and whether they convert. Pure:
//! randomness is an argument.

use rand::{Rng, RngExt};
use shared::ids::VisitorId;

const MINUTE_MS: i64 = 60_000;
const DAY_MS: i64 = shared::limits::DAY_MS;

/// One browser's year.
pub(super) struct Person {
    number: u32,
    pub(super) visitor: VisitorId,
    pub(super) acts: Vec<Act>,
}

/// Something that a person does.
pub(super) enum Act {
    /// Views a page.
    View {
        at_ms: i64,
        path: &'static str,
        query: &'static str,
        referrer: &'static str,
        engaged_ms: u32,
        scroll_pct: u8,
    },
    /// Sends the contact form.
    Convert { at_ms: i64 },
}

/// An origin of visits: its weight among 1,000, the landing page's query, the referrer, the landing
/// page, and how many of 250 visits end in a conversion.
struct Origin {
    weight: u32,
    query: &'static str,
    referrer: &'static str,
    landing: &'static str,
    converts: u32,
}

const fn origin(
    weight: u32,
    query: &'static str,
    referrer: &'static str,
    landing: &'static str,
    converts: u32,
) -> Origin {
    Origin { weight, query, referrer, landing, converts }
}

const ORIGINS: &[Origin] = &[
    origin(270, "", "https://www.google.com/", "/blog/attribution", 3),
    origin(60, "", "https://www.bing.com/", "/", 3),
    origin(
        150,
        "?utm_source=google&utm_medium=cpc&utm_campaign=brand&utm_term=attribution&gclid=demo",
        "https://www.google.com/",
        "/",
        9,
    ),
    origin(
        70,
        "?utm_source=google&utm_medium=cpc&utm_campaign=competitors&utm_term=alternative&gclid=demo-2",
        "https://www.google.com/",
        "/pricing",
        7,
    ),
    origin(
        80,
        "?utm_source=linkedin&utm_medium=paid_social&utm_campaign=founders&utm_content=video",
        "https://www.linkedin.com/",
        "/",
        4,
    ),
    origin(50, "", "https://www.linkedin.com/", "/blog/first-party", 3),
    origin(40, "?fbclid=demo", "https://l.facebook.com/", "/", 1),
    origin(
        80,
        "?utm_source=newsletter&utm_medium=email&utm_campaign=monthly",
        "",
        "/blog/first-party",
        10,
    ),
    origin(40, "?utm_source=chatgpt.com", "https://chatgpt.com/", "/pricing", 8),
    origin(60, "", "https://trade-weekly.example/", "/", 5),
    origin(100, "", "", "/", 5),
];

const PAGES: &[(&str, &str)] = &[
    ("/", "Home"),
    ("/pricing", "Pricing"),
    ("/blog", "Blog"),
    ("/blog/attribution", "What attribution can know"),
    ("/blog/first-party", "First-party data, in practice"),
    ("/contact", "Contact"),
    ("/thank-you", "Thank you"),
];

/// Returns a page's title.
pub(super) fn title(path: &str) -> &'static str {
    PAGES.iter().find(|(known, _)| *known == path).map_or("", |(_, title)| *title)
}

impl Act {
    pub(super) fn at_ms(&self) -> i64 {
        match self {
            Self::View { at_ms, .. } | Self::Convert { at_ms } => *at_ms,
        }
    }
}

impl Person {
    /// Invents a person who visits up to six times between two times.
    pub(super) fn invent(random: &mut impl Rng, number: u32, from_ms: i64, until_ms: i64) -> Self {
        let visitor = VisitorId::from_random(random.random());
        let mut acts = Vec::new();
        // Traffic grows over the year.
        let share = random.random_range(0.0..1.0_f64).sqrt();
        let mut at_ms = from_ms + (share * (until_ms - from_ms) as f64) as i64;
        let visits = *[1, 1, 1, 1, 2, 2, 3, 4, 6].get(random.random_range(0..9)).unwrap_or(&1);
        for visit in 0..visits {
            at_ms = daytime(random, at_ms);
            if at_ms + 90 * MINUTE_MS > until_ms {
                break;
            }
            let origin = match visit > 0 && random.random_ratio(2, 5) {
                true => &ORIGINS[ORIGINS.len() - 1],
                false => draw(random),
            };
            // Returning visitors convert more often.
            let converts = origin.converts + 3 * visit;
            let ended_ms = visit_pages(random, &mut acts, at_ms, origin, converts);
            at_ms = ended_ms + random.random_range(DAY_MS / 4..15 * DAY_MS);
        }
        Self { number, visitor, acts }
    }

    pub(super) fn email(&self) -> String {
        format!("lead-{}@example.com", self.number)
    }

    pub(super) fn company(&self) -> String {
        format!("Example {}", self.number % 300)
    }
}

fn draw(random: &mut impl Rng) -> &'static Origin {
    let mut ticket = random.random_range(0..ORIGINS.iter().map(|origin| origin.weight).sum());
    for origin in ORIGINS {
        match ticket.checked_sub(origin.weight) {
            Some(rest) => ticket = rest,
            None => return origin,
        }
    }
    &ORIGINS[0]
}

/// Moves a time to between 7:00 and 21:00 UTC of its day, and most weekend days to a weekday.
fn daytime(random: &mut impl Rng, at_ms: i64) -> i64 {
    let mut day = at_ms.div_euclid(DAY_MS);
    let weekend = matches!((day + 4).rem_euclid(7), 0 | 6);
    if weekend && random.random_ratio(3, 4) {
        day += 2;
    }
    day * DAY_MS + random.random_range(7 * 60..21 * 60) * MINUTE_MS
}

/// Adds a visit's page views, and perhaps a conversion; returns when the visit ended.
fn visit_pages(
    random: &mut impl Rng,
    acts: &mut Vec<Act>,
    start_ms: i64,
    origin: &Origin,
    converts: u32,
) -> i64 {
    let mut at_ms = start_ms;
    let look = |random: &mut dyn Rng, at_ms: &mut i64, path, query, referrer| {
        let engaged_ms = random.random_range(1_500..95_000);
        let scroll_pct = random.random_range(15..=100);
        let view = Act::View { at_ms: *at_ms, path, query, referrer, engaged_ms, scroll_pct };
        *at_ms += i64::from(engaged_ms) + random.random_range(500..20_000);
        view
    };
    acts.push(look(random, &mut at_ms, origin.landing, origin.query, origin.referrer));
    for _ in 0..random.random_range(0..5) {
        let path = PAGES[random.random_range(0..5)].0;
        acts.push(look(random, &mut at_ms, path, "", ""));
    }
    if random.random_ratio(converts, 250) {
        acts.push(look(random, &mut at_ms, "/contact", "", ""));
        acts.push(Act::Convert { at_ms });
        at_ms += 800;
        acts.push(look(random, &mut at_ms, "/thank-you", "", ""));
    }
    at_ms
}
