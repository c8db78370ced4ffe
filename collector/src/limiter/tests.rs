//! What is admitted, and when.

use super::*;
use crate::config::{Config, EXAMPLE};

const NOW_MS: i64 = 1_795_255_200_000;

struct Gate {
    limiter: Limiter,
    settings: Settings,
    site: SiteId,
    clock: Clock,
}

fn gate(limits: &str) -> Gate {
    assert!(EXAMPLE.contains("[rates]"));
    let text = format!("[[sites]]\nname = \"demo\"\nhosts = [\"example.com\"]\n{limits}");
    let settings = Settings::new(Config::parse(&text, &[]).unwrap()).unwrap();
    let clock = Clock::fixed(NOW_MS);
    let site = SiteId::parse("demo").unwrap();
    Gate { limiter: Limiter::new(clock.clone()), settings, site, clock }
}

impl Gate {
    fn batch(&self, client: &str, visitor: u8, events: usize) -> Result<(), Limited> {
        let (client, visitor) = (client.parse().ok(), VisitorId::from_random([visitor; 16]));
        let load = Load { client, visitor, events, persons: 0, bytes: 100 };
        self.limiter.batch(&self.settings, &self.site, load)
    }
}

fn refused(by: &'static str, retry_after_s: u64) -> Result<(), Limited> {
    Err(Limited { by, retry_after_s })
}

#[test]
fn a_client_has_its_share() {
    let gate = gate("[sites.rates]\nclient_per_second = 10\nclient_burst = 100\n");
    for visitor in 0..10 {
        assert_eq!(gate.batch("203.0.113.1", visitor, 10), Ok(()));
    }
    assert_eq!(gate.batch("203.0.113.1", 50, 20), refused("client", 3));
    assert_eq!(gate.batch("203.0.113.2", 50, 20), Ok(()), "others have their own");
    gate.clock.advance_ms(2_000);
    assert_eq!(gate.batch("203.0.113.1", 50, 20), Ok(()));
    assert_eq!(gate.batch("203.0.113.1", 50, 1), refused("client", 1));
    // a batch larger than the burst is admitted if nothing came before
    assert_eq!(gate.batch("203.0.113.3", 51, 250), Ok(()));
    // a /64 is one client, and IPv4 in IPv6 is IPv4
    assert_eq!(gate.batch("2001:db8::1", 52, 100), Ok(()));
    assert_eq!(gate.batch("2001:db8::2", 53, 1), refused("client", 1));
    assert_eq!(gate.batch("2001:db8:0:1::1", 53, 1), Ok(()));
    assert_eq!(gate.batch("::ffff:203.0.113.1", 53, 1), refused("client", 1));
    // clients without a known address count as one
    assert_eq!(gate.batch("?", 54, 100), Ok(()));
    assert_eq!(gate.batch("", 55, 1), refused("client", 1));
}

#[test]
fn naming_a_person_costs_more() {
    let gate = gate("[sites.rates]\nclient_per_second = 10\nclient_burst = 100\n");
    let named = |persons| {
        let (client, visitor) = ("203.0.113.1".parse().ok(), VisitorId::from_random([1; 16]));
        let load = Load { client, visitor, events: persons, persons, bytes: 100 };
        gate.limiter.batch(&gate.settings, &gate.site, load)
    };
    assert_eq!([named(3), named(2), named(1)], [Ok(()), Ok(()), refused("client", 3)]);
}

#[test]
fn a_visitor_has_its_share() {
    let gate = gate("[sites.rates]\nvisitor_per_second = 1\nvisitor_burst = 10\n");
    assert_eq!(gate.batch("203.0.113.1", 1, 10), Ok(()));
    assert_eq!(gate.batch("203.0.113.2", 1, 1), refused("visitor", 2));
    assert_eq!(gate.batch("203.0.113.2", 2, 1), Ok(()));
}

#[test]
fn a_site_has_its_day() {
    let gate = gate("[sites.rates]\nsite_events_per_day = 100\n");
    let left_s = ((DAY_MS - NOW_MS.rem_euclid(DAY_MS)) / 1000).unsigned_abs();
    for visitor in 0..10 {
        assert_eq!(gate.batch("203.0.113.1", visitor, 10), Ok(()));
    }
    assert_eq!(gate.batch("203.0.113.1", 1, 1), refused("site_day", left_s));
    gate.clock.advance_ms(DAY_MS);
    assert_eq!(gate.batch("203.0.113.1", 1, 1), Ok(()));
    let gate = self::gate(
        "[sites.rates]\nsite_mib_per_day = 1\nvisitor_burst = 1_000_000\nclient_per_second = 0\n",
    );
    let most = (1 << 20) / 100;
    let let_in = (0..most * 2).filter(|n| gate.batch("", *n as u8, 1).is_ok()).count();
    assert_eq!(let_in, most);
}

#[test]
fn a_person_is_named_so_often() {
    let gate = gate("[sites.rates]\nperson_per_hour = 3\n");
    let named = |email: &str| gate.limiter.person(&gate.settings, &gate.site, email);
    assert_eq!([0; 5].map(|_| named("a@example.com")), [true, true, true, false, false]);
    assert!(named("b@example.com"));
    gate.clock.advance_ms(20 * 60 * 1000);
    assert_eq!([0; 2].map(|_| named("a@example.com")), [true, false]);
}

#[test]
fn a_clock_that_is_set_back_strands_nobody() {
    let gate = gate("[sites.rates]\nclient_per_second = 1\nclient_burst = 5\n");
    assert_eq!(gate.batch("203.0.113.1", 1, 5), Ok(()));
    gate.clock.advance_ms(-DAY_MS);
    assert_eq!(gate.batch("203.0.113.1", 1, 5), Ok(()));
}

#[test]
fn nothing_is_limited_where_nothing_is_set() {
    let gate = gate(
        "[rates]\nclient_per_second = 0\nvisitor_per_second = 0\nperson_per_hour = 0\n\
         site_events_per_day = 0\nsite_mib_per_day = 0\n",
    );
    assert!((0..1_000).all(|_| gate.batch("203.0.113.1", 1, 250).is_ok()));
    assert!((0..100).all(|_| gate.limiter.person(&gate.settings, &gate.site, "a@example.com")));
}

#[test]
fn what_is_remembered_is_bounded() {
    let gate = gate("[sites.rates]\nclient_per_second = 0\n");
    for number in 0..60_000_u32 {
        let visitor =
            VisitorId::from_random([number.to_be_bytes(); 4].concat().try_into().unwrap());
        let load = Load { client: None, visitor, events: 1, persons: 0, bytes: 1 };
        assert_eq!(gate.limiter.batch(&gate.settings, &gate.site, load), Ok(()));
        if number % 10 == 0 {
            gate.clock.advance_ms(1);
        }
    }
    let site = gate.limiter.site(&gate.settings, &gate.site);
    assert!(site.visitors.as_ref().unwrap().keys() < 25_000);
}
