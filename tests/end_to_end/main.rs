//! Every end-to-end test, fast ones first.

#![expect(clippy::unwrap_used, reason = "a test may fail")]

mod postgres;
mod postgres_start;
mod postgres_races;
mod postgres_faults;
mod store;
mod events;
mod flags;
mod request_ids;
mod limits;
mod quiet_log;
mod access;
mod answers;
mod leads;
mod feedback;
mod fields;
mod persons;
mod identify;
mod history;
mod outbox;
mod webhooks;
mod subscriptions;
mod subscription_orders;
mod inbound;
mod hand_off;
mod way_back;
mod assets;
mod commands;
mod attribute;
mod classify;
mod reload;
mod crash;
mod hand_off_crash;
mod hand_off_storm;
mod hand_off_trouble;
mod moves;
mod together;
mod backup;
mod disk;
mod reclassify;
mod journey;
mod departures;
mod whole_loop;
mod crm_hubspot;
mod crm_salesforce;
