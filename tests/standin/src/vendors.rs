//! The vendors that have a stand-in. No code outside their folders names a vendor, except this
//! file.
//!
//! To add a vendor, add a file and a folder beside `hubspot`, with its `PROFILE` and its
//! `MemoryCrm`, and name it here.

mod hubspot;
mod salesforce;

use crate::crm::Profile;
use crate::standin::Standin;
use crate::starting::Starting;
use clap::ValueEnum;

pub use self::hubspot::signature;

/// A vendor with a stand-in. `crm-standin` derives its arguments from this list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "lower")]
pub enum Vendor {
    HubSpot,
    Salesforce,
}

impl Vendor {
    fn profile(self) -> &'static Profile {
        match self {
            Self::HubSpot => &hubspot::PROFILE,
            Self::Salesforce => &salesforce::PROFILE,
        }
    }

    /// The name in arguments: `hubspot`.
    pub fn name(self) -> String {
        // No variant is hidden from the command line.
        self.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default()
    }

    /// The name as the vendor writes it: `HubSpot`.
    pub fn title(self) -> &'static str {
        self.profile().title
    }

    /// The port that `crm-standin` serves it on by default.
    pub fn port(self) -> u16 {
        self.profile().port
    }
}

impl Standin {
    /// An empty stand-in of a vendor, at Saturday, 21 November 2026, 10:00 UTC.
    pub fn of(vendor: Vendor) -> Starting {
        Starting::new(vendor.profile())
    }

    /// HubSpot's, as [`Standin::of`].
    pub fn hubspot() -> Starting {
        Self::of(Vendor::HubSpot)
    }

    /// Salesforce's, as [`Standin::of`].
    pub fn salesforce() -> Starting {
        Self::of(Vendor::Salesforce)
    }
}
