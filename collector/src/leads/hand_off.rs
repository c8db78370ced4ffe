//! The state of a lead's hand-off, over all destinations that get the lead itself.

use crate::settings::Settings;
use clew_connect::crm::CrmConfig;
use clew_store::{Delivery, DeliveryKind, DeliveryState, DestinationId};
use shared::fields::naming::Crm;
use shared::link::CrmLink;

/// The state of a lead's deliveries.
pub(super) struct HandOffState {
    destinations: Vec<DestinationId>,
    /// The state that needs most attention.
    pub(super) state: DeliveryState,
    /// When the last delivery was accepted, Unix milliseconds.
    pub(super) sent_at_ms: Option<i64>,
}

impl HandOffState {
    /// Sums up a lead's deliveries; `None` if there are none.
    pub(super) fn of(deliveries: &[Delivery]) -> Option<Self> {
        let need = |state: &DeliveryState| match state {
            DeliveryState::Sent => 0,
            DeliveryState::Pending => 1,
            DeliveryState::Sending => 2,
            DeliveryState::Retry => 3,
            DeliveryState::Dead => 4,
        };
        // The lead itself, not later stages and deals.
        let of_lead = |delivery: &&Delivery| {
            delivery.kind == DeliveryKind::Converted && delivery.destination.keeps_leads()
        };
        let deliveries: Vec<&Delivery> = deliveries.iter().filter(of_lead).collect();
        let state = deliveries.iter().map(|delivery| delivery.state).max_by_key(need)?;
        let sent = deliveries.iter().filter(|delivery| delivery.state == DeliveryState::Sent);
        let sent_at_ms = sent.map(|delivery| delivery.due_at_ms).max();
        let destinations = deliveries.iter().map(|delivery| delivery.destination.clone()).collect();
        Some(Self { destinations, state, sent_at_ms })
    }

    /// The CRM: that of the link, else one that the lead is being delivered to, else `Webhook`.
    pub(super) fn provider(&self, settings: &Settings, link: Option<&CrmLink>) -> Crm {
        let linked = link.and_then(|link| link.provider.parse().ok());
        let on_its_way = |crm: &&CrmConfig| {
            self.destinations.contains(&DestinationId::Configured(crm.name.clone()))
        };
        let naming = || settings.config.crm.iter().find(on_its_way)?.naming();
        linked.or_else(naming).unwrap_or(Crm::Webhook)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use shared::fields::catalogue::find;

    #[test]
    fn the_catalogue_knows_the_states_of_deliveries() {
        let words = find("crm_sync_status").and_then(|field| field.kind.values()).unwrap();
        assert_eq!(words, DeliveryState::ALL.map(DeliveryState::as_str));
    }
}
