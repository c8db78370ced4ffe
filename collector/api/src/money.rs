//! An amount of money in JSON.

use serde::Serialize;
use shared::money;
use utoipa::ToSchema;

/// An amount of money, exact.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, ToSchema)]
pub struct Money {
    /// A decimal string with the decimals of its currency; negative if money is taken back.
    #[schema(example = "1200.00")]
    pub amount: String,
    /// The ISO 4217 code.
    #[schema(example = "EUR")]
    pub currency: &'static str,
}

impl From<money::Money> for Money {
    fn from(money: money::Money) -> Self {
        Self { amount: money.decimal(), currency: money.currency.code() }
    }
}

impl Money {
    /// Amount and currency of an amount that may be unknown, as two members.
    pub fn parts(money: Option<money::Money>) -> (Option<String>, Option<&'static str>) {
        (money.map(money::Money::decimal), money.map(|money| money.currency.code()))
    }
}
