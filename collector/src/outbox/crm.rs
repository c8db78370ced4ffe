//! CRMs as targets of deliveries.

mod hand_off;
mod target;

pub use target::CrmTarget;
pub(super) use target::longest_attempt;
