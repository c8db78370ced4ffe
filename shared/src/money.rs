//! Money: whole minor units and an ISO 4217 currency, never floats.
//!
//! Amounts are parsed from and written as decimal strings ([`fixed`]), and divided exactly
//! ([`split`]). Refunds are negative amounts.

pub mod fixed;
mod share;

pub use share::{split, split_units};

use fixed::NumberError;
use rust_iso4217::ALL_MAP;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;
use std::str::FromStr;

/// Codes withdrawn since 2021, which old sales carry; all of them had hundredths.
const WITHDRAWN: [&str; 6] = ["ANG", "BGN", "CUC", "HRK", "SLL", "ZWL"];

/// An ISO 4217 currency.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Currency {
    code: &'static str,
    exponent: u32,
}

impl Currency {
    /// The code, in capitals.
    pub fn code(self) -> &'static str {
        self.code
    }

    /// The number of decimals of an amount.
    pub fn exponent(self) -> u32 {
        self.exponent
    }
}

impl fmt::Display for Currency {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(self.code)
    }
}

impl FromStr for Currency {
    type Err = MoneyError;

    fn from_str(text: &str) -> Result<Self, MoneyError> {
        let is = |code: &&str| code.eq_ignore_ascii_case(text);
        if let Some(code) = WITHDRAWN.into_iter().find(is) {
            return Ok(Self { code, exponent: 2 });
        }
        // Of three letters, so that a long text is not copied to be looked up.
        let known = (text.len() == 3).then(|| ALL_MAP.get(&text.to_ascii_uppercase())).flatten();
        // Gold, test codes and currencies withdrawn before then have no minor unit.
        known
            .and_then(|known| {
                Some(Self { code: known.code, exponent: known.unit.try_into().ok()? })
            })
            .ok_or(MoneyError::Currency)
    }
}

impl Serialize for Currency {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.code)
    }
}

impl<'de> Deserialize<'de> for Currency {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// Why a text is not an amount of money. It never quotes the text; the caller that shows the error
/// adds where the text was.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum MoneyError {
    /// An unknown code.
    #[error("not an ISO 4217 currency code; use one such as EUR")]
    Currency,
    /// Not a decimal number.
    #[error("not an amount; use digits with a decimal point, such as 1234.50")]
    Amount,
    /// More decimals than the currency has.
    #[error("too many decimals: {0} has {exponent}", exponent = .0.exponent())]
    Decimals(Currency),
    /// More minor units than 64 bits can hold.
    #[error("the amount of {0} is too large")]
    TooMuch(Currency),
}

/// An amount.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub struct Money {
    /// Minor units, negative for a refund.
    pub minor: i64,
    /// Its currency.
    pub currency: Currency,
}

impl Money {
    /// Parses a decimal string such as `1234.50`.
    ///
    /// # Errors
    /// [`MoneyError`].
    pub fn parse(text: &str, currency: Currency) -> Result<Self, MoneyError> {
        let units = fixed::parse(text, currency.exponent).map_err(|error| match error {
            NumberError::NoNumber => MoneyError::Amount,
            NumberError::TooFine => MoneyError::Decimals(currency),
            NumberError::TooLarge => MoneyError::TooMuch(currency),
        })?;
        let minor = i64::try_from(units);
        let minor = minor.map_err(|_| MoneyError::TooMuch(currency))?;
        Ok(Self { minor, currency })
    }

    /// Parses a decimal string of any precision and rounds it to the currency's smallest unit,
    /// halves away from 0: for amounts of other systems, which may be finer than the currency.
    ///
    /// # Errors
    /// [`MoneyError`].
    pub fn nearest(text: &str, currency: Currency) -> Result<Self, MoneyError> {
        const DECIMALS: u32 = 18;
        let Ok(fine) = fixed::parse(text, DECIMALS) else { return Self::parse(text, currency) };
        let unit = 10_i128.pow(DECIMALS - currency.exponent);
        let (units, rest) = (fine / unit, fine % unit);
        let rounded = if rest.abs() * 2 >= unit { units + rest.signum() } else { units };
        let minor = i64::try_from(rounded);
        let minor = minor.map_err(|_| MoneyError::TooMuch(currency))?;
        Ok(Self { minor, currency })
    }

    /// The amount as a decimal string with all decimals of its currency, such as `1234.50`.
    pub fn decimal(self) -> String {
        fixed::write(self.minor.into(), self.currency.exponent)
    }
}

impl fmt::Display for Money {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} {}", self.decimal(), self.currency)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    /// Codes whose minor unit is a hundredth, those withdrawn last.
    const HUNDREDTHS: &str = "AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BMD BND BOB BOV BRL BSD \
        BTN BWP BYN BZD CAD CDF CHE CHF CHW CNY COP COU CRC CUP CVE CZK DKK DOP DZD EGP ERN ETB EUR \
        FJD FKP GBP GEL GHS GIP GMD GTQ GYD HKD HNL HTG HUF IDR ILS INR IRR JMD KES KGS KHR KPW KYD \
        KZT LAK LBP LKR LRD LSL MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MXV MYR MZN NAD NGN \
        NIO NOK NPR NZD PAB PEN PGK PHP PKR PLN QAR RON RSD RUB SAR SBD SCR SDG SEK SGD SHP SLE SOS \
        SRD SSP STN SVC SYP SZL THB TJS TMT TOP TRY TTD TWD TZS UAH USD USN UYU UZS VED VES WST XAD \
        XCD XCG YER ZAR ZMW ZWG ANG BGN CUC HRK SLL ZWL";
    /// Codes without a minor unit.
    const WHOLE: &str = "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF";
    /// Codes whose minor unit is a thousandth.
    const THOUSANDTHS: &str = "BHD IQD JOD KWD LYD OMR TND";
    /// Codes of units of account with four decimals.
    const TEN_THOUSANDTHS: &str = "CLF UYW";

    fn check(text: &str, code: &str, expected: Result<i64, &str>) {
        let read = code.parse().and_then(|currency| Money::parse(text, currency));
        let read = read.map(|money| money.minor).map_err(|error| error.to_string());
        assert_eq!(
            read.as_ref().map_err(String::as_str),
            expected.as_ref().map_err(|e| *e),
            "{text}"
        );
    }

    #[test]
    fn amounts_are_read() {
        check("1234.50", "EUR", Ok(123_450));
        check("1234.5", "eur", Ok(123_450));
        check("-0.01", "USD", Ok(-1));
        check("12.340", "EUR", Ok(1234));
        check("1500", "JPY", Ok(1500));
        check("1.234", "KWD", Ok(1234));
        check("0.0001", "CLF", Ok(1));
        check("92233720368547758.07", "EUR", Ok(i64::MAX));
        check("-92233720368547758.08", "EUR", Ok(i64::MIN));
        check("12.345", "EUR", Err("too many decimals: EUR has 2"));
        check("0.5", "ISK", Err("too many decimals: ISK has 0"));
        let much = "the amount of EUR is too large";
        check("92233720368547758.08", "EUR", Err(much));
        check("1", "XXX", Err("not an ISO 4217 currency code; use one such as EUR"));
        check("1", "", Err("not an ISO 4217 currency code; use one such as EUR"));
        let none = "not an amount; use digits with a decimal point, such as 1234.50";
        check("1,234.50", "EUR", Err(none));
    }

    #[test]
    fn exponents() {
        let cases = [("EUR", 2), ("JPY", 0), ("KRW", 0), ("VND", 0), ("CLP", 0), ("ISK", 0)];
        let more = [("BHD", 3), ("KWD", 3), ("TND", 3), ("UYW", 4), ("HUF", 2), ("UGX", 0)];
        for (code, exponent) in cases.into_iter().chain(more) {
            assert_eq!(code.parse::<Currency>().unwrap().exponent(), exponent, "{code}");
        }
    }

    /// Stores hold amounts in these: a newer list may add codes, and none may go.
    #[test]
    fn codes() {
        let lists = [(HUNDREDTHS, 2), (WHOLE, 0), (THOUSANDTHS, 3), (TEN_THOUSANDTHS, 4)];
        let expected: BTreeMap<String, u32> = lists
            .into_iter()
            .flat_map(|(codes, exponent)| {
                codes.split_whitespace().map(move |code| (code.to_owned(), exponent))
            })
            .collect();
        let letters = || 'A'..='Z';
        let texts = letters().flat_map(|a| {
            letters().flat_map(move |b| letters().map(move |c| String::from_iter([a, b, c])))
        });
        let found: BTreeMap<String, u32> = texts
            .filter_map(|text| {
                let currency: Currency = text.parse().ok()?;
                assert_eq!(currency.code(), text);
                assert_eq!(text.to_lowercase().parse(), Ok(currency));
                Some((text, currency.exponent()))
            })
            .collect();
        // 165 in force in 2026, and 6 withdrawn.
        assert_eq!(found.len(), 171);
        assert_eq!(found, expected);
        for wrong in ["", "EU", "EURO", "E R", "ISK ", "\u{131}SK", "€"] {
            assert_eq!(wrong.parse::<Currency>(), Err(MoneyError::Currency), "{wrong}");
        }
    }

    proptest! {
        #[test]
        fn written_and_read_again(minor: i64, code in prop::sample::select(vec!["EUR", "JPY", "KWD"])) {
            let money = Money { minor, currency: code.parse().unwrap() };
            prop_assert_eq!(Money::parse(&money.decimal(), money.currency), Ok(money));
        }

        #[test]
        fn any_text_is_read_or_refused(text: String, code: String) {
            let _ = code.parse::<Currency>();
            let _ = Money::parse(&text, "EUR".parse().unwrap());
        }
    }
}
