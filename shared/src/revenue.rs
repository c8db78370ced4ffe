//! Which touches a deal's revenue is credited to.
//!
//! The touches are those of the history that led to the last conversion before the deal was won, as
//! they were told to the lead's CRM. A share is a share of what the deal brings now: what is paid
//! back is taken off where the sale was credited, and a deal that is not won any more credits
//! nobody.

use crate::attribution::{Journey, Milestones, Model, Rule, Step};
use crate::deal::Deal;
use crate::journey::History;
use crate::lead::Lead;
use crate::lifecycle::{LifeCycle, Stage};
use crate::money::{Money, split};

/// A model's credit for one deal.
#[derive(Clone, PartialEq, Debug)]
pub struct Credit {
    /// The model.
    pub model: Model,
    /// The touches that have a share, by [`History::number`], and the share.
    pub shares: Vec<(usize, Money)>,
}

/// The credit of a deal that was ever won: by the first touch, by the last before the lead's
/// conversion, and by a site's own rule where that is another. Empty where the deal was never won.
pub fn credit(
    rule: Rule,
    lead: &Lead,
    history: &History,
    cycle: &LifeCycle,
    deal: &Deal<'_>,
) -> Vec<Credit> {
    let Some(won_at_ms) = deal.won_at_ms else { return Vec::new() };
    let before = history.conversions.iter().rfind(|conversion| conversion.at_ms <= won_at_ms);
    let conversion = before.or(history.conversions.first());
    let converted_at_ms = conversion.map_or(lead.created_at_ms, |conversion| conversion.at_ms);
    // The history ends with its last conversion, whatever the browser's clock said.
    let is_last = history.conversions.last() == conversion;
    let step = |touch: &crate::visit::Touch| Step {
        at_ms: if is_last { touch.at_ms.min(converted_at_ms) } else { touch.at_ms } as f64,
        is_direct: touch.is_direct(),
        channel: touch.label.channel.index(),
    };
    let steps: Vec<Step> = history.touches.iter().map(step).collect();
    let opportunity_at_ms = cycle.first_ms(Stage::Opportunity).or(deal.opened_at_ms);
    let journey = Journey {
        steps: &steps,
        converted_at_ms: converted_at_ms as f64,
        milestones: Milestones {
            lead_at_ms: Some(lead.created_at_ms as f64),
            opportunity_at_ms: opportunity_at_ms.map(|at_ms| at_ms as f64),
            closed_at_ms: Some(won_at_ms as f64),
        },
    };
    let plain = |model| Rule { look_back: None, ..Rule::new(model) };
    let mut rules = vec![plain(Model::First), plain(Model::Last)];
    if !rules.iter().any(|plain| plain.model == rule.model) {
        rules.push(rule);
    }
    let shares = |rule: Rule| {
        let credits = rule.credits(&journey, &[]);
        let of_sum = |(currency, sum)| {
            let money = move |minor| Money { minor, currency };
            let shares: Vec<_> = split(sum, &credits).into_iter().map(money).collect();
            let numbers = (0..).map(|place| history.number(place));
            let credited = numbers.zip(shares).zip(&credits).filter(|(_, credit)| **credit > 0.0);
            credited.map(|(share, _)| share).collect::<Vec<_>>()
        };
        Credit { model: rule.model, shares: deal.revenue().into_iter().flat_map(of_sum).collect() }
    };
    rules.into_iter().map(shares).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::deal::{DealEvent, LedgerEntry};
    use crate::ids::{ConversionId, LeadId, SiteId, VisitorId};
    use crate::lead::{
        Contact, Conversion, ConversionKind, FoundBy, Join, JoinEvidence, JourneyState, NamedBy,
    };
    use crate::lifecycle::Origin;
    use crate::limits::DAY_MS;
    use crate::testing::view;
    use proptest::prelude::*;

    fn conversion(number: u32, at_ms: i64, visitor: VisitorId) -> Conversion {
        Conversion {
            id: ConversionId::new(at_ms, [1; 10]),
            number,
            at_ms,
            kind: ConversionKind::Form,
            visitor: Some(visitor),
            journey: JourneyState::Known,
            contact: Contact::default(),
            form_id: None,
            form_name: None,
            page_url: None,
            page_title: None,
            context: None,
            raw: Vec::new(),
        }
    }

    /// A lead with a touch on each of some days, and conversions on some.
    fn travelled(touches: &[i64], converted: &[i64]) -> (Lead, History) {
        let visitor = VisitorId::from_random([7; 16]);
        let conversions: Vec<_> = (1..)
            .zip(converted)
            .map(|(number, day)| conversion(number, day * DAY_MS, visitor))
            .collect();
        let by = JoinEvidence { person: FoundBy::New, visitor: NamedBy::Token };
        let (id, site) = (LeadId::new(0, [2; 10]), SiteId::parse("demo").unwrap());
        let lead = Lead {
            converted_at_ms: conversions.last().unwrap().at_ms,
            joins: vec![Join::new(visitor, &conversions[0], by)],
            conversions: conversions.len() as u32,
            ..Lead::new(id, site, conversions[0].at_ms)
        };
        let views = touches.iter().map(|day| view(day * DAY_MS, "google")).collect();
        let history = History::of_lead(&lead, &[(visitor, views)], conversions);
        assert_eq!(history.touches.len(), touches.len());
        (lead, history)
    }

    fn entry(event: DealEvent, minor: i64, at_ms: i64) -> LedgerEntry {
        let amount = (minor != 0).then(|| Money { minor, currency: "EUR".parse().unwrap() });
        let reference = format!("{event:?} {minor} {at_ms}");
        let (deal, source, recorded_at_ms) = ("d".to_owned(), Origin::Api, at_ms);
        LedgerEntry { deal, event, amount, at_ms, recorded_at_ms, source, reference }
    }

    /// A ledger of (event, minor units, day), and the shares under first, last and linear.
    fn check(ledger: &[(DealEvent, i64, i64)], converted: &[i64], expected: [&[(usize, i64)]; 3]) {
        let (lead, history) = travelled(&[1, 2, 3, 8], converted);
        let entries: Vec<_> =
            ledger.iter().map(|(event, minor, day)| entry(*event, *minor, day * DAY_MS)).collect();
        let cycle = LifeCycle::of(lead.created_at_ms, []);
        let deals = Deal::all(&entries);
        let credit = credit(Rule::new(Model::Linear), &lead, &history, &cycle, &deals[0]);
        let found: Vec<Vec<(usize, i64)>> = credit
            .iter()
            .map(|credit| credit.shares.iter().map(|(n, money)| (*n, money.minor)).collect())
            .collect();
        assert_eq!(found, expected, "{ledger:?}");
    }

    #[test]
    fn revenue_is_credited_and_taken_back() {
        use DealEvent::{AmountChanged, Refunded, Reopened, Won};
        let all = [8];
        check(
            &[(Won, 1_000, 9)],
            &all,
            [&[(1, 1_000)], &[(4, 1_000)], &[(1, 250), (2, 250), (3, 250), (4, 250)]],
        );
        check(
            &[(Won, 1_000, 9), (AmountChanged, 1_001, 10)],
            &all,
            [&[(1, 1_001)], &[(4, 1_001)], &[(1, 251), (2, 250), (3, 250), (4, 250)]],
        );
        check(
            &[(Won, 1_000, 9), (Refunded, -1_000, 10)],
            &all,
            [&[(1, 0)], &[(4, 0)], &[(1, 0), (2, 0), (3, 0), (4, 0)]],
        );
        check(
            &[(Won, 1_000, 9), (Reopened, 0, 10)],
            &all,
            [&[(1, 0)], &[(4, 0)], &[(1, 0), (2, 0), (3, 0), (4, 0)]],
        );
        // What was seen after the deal was won, or after the conversion before it, has no part in it.
        check(
            &[(Won, 900, 5)],
            &[3, 8],
            [&[(1, 900)], &[(3, 900)], &[(1, 300), (2, 300), (3, 300)]],
        );
    }

    #[test]
    fn never_won_is_never_credited() {
        let (lead, history) = travelled(&[1], &[1]);
        let entries = [entry(DealEvent::Opened, 5, 0), entry(DealEvent::Lost, 0, 1)];
        let cycle = LifeCycle::of(lead.created_at_ms, []);
        let deals = Deal::all(&entries);
        assert_eq!(credit(Rule::new(Model::First), &lead, &history, &cycle, &deals[0]), []);
    }

    proptest! {
        #[test]
        fn shares_add_up(minor in 1..i64::MAX, refund in 0..1_000_000_i64, model in 0..12_usize) {
            let (lead, history) = travelled(&[1, 2, 3, 8], &[8]);
            let entries = [
                entry(DealEvent::Won, minor, 9 * DAY_MS),
                entry(DealEvent::Refunded, -refund, 10 * DAY_MS),
            ];
            let cycle = LifeCycle::of(lead.created_at_ms, []);
            let deals = Deal::all(&entries);
            let rule = Rule::new(Model::NAMED[model].1);
            for credit in credit(rule, &lead, &history, &cycle, &deals[0]) {
                let sum: i64 = credit.shares.iter().map(|(_, money)| money.minor).sum();
                prop_assert_eq!(sum, minor - refund, "{:?}", credit.model);
            }
        }
    }
}
