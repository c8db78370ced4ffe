//! Divides an amount exactly, by the method of the largest remainder.

/// The digits of a weight; products with a remainder below 10^19 fit into 128 bits.
const DIGITS: i32 = 18;

/// Divides an amount in proportion to credits: one share per credit, and together exactly the
/// amount.
///
/// Each share is less than one unit from its exact value. The units left over go to the largest
/// remainders, on a tie to the earlier ones. A refund is divided in the same way as the sale.
///
/// Credits that are negative or not finite count as 0. If all are 0, all shares are 0: nobody
/// earned the amount. Credits are precise to 10^-18 of their sum.
pub fn split(amount: i64, credits: &[f64]) -> Vec<i64> {
    let shares = split_units(amount.into(), credits);
    // A share is never greater than the amount.
    shares.into_iter().map(|share| share as i64).collect()
}

/// Like [`split`], for amounts in a unit finer than the currency's.
pub fn split_units(amount: i128, credits: &[f64]) -> Vec<i128> {
    let weights = weights(credits);
    let sum: i128 = weights.iter().sum();
    if sum == 0 {
        return vec![0; credits.len()];
    }
    // amount · weight / sum, in two parts so that no product overflows.
    let (whole, rest) = (amount / sum, amount % sum);
    let mut shares = Vec::with_capacity(weights.len());
    let mut remainders = Vec::with_capacity(weights.len());
    let mut left = amount;
    for (index, weight) in weights.into_iter().enumerate() {
        let share = whole * weight + rest * weight / sum;
        left -= share;
        shares.push(share);
        // Of equal remainders the earlier comes first.
        remainders.push(((rest * weight % sum).unsigned_abs(), std::cmp::Reverse(index)));
    }
    // There are fewer units left than shares that were rounded.
    let count = left.unsigned_abs() as usize;
    if count > 0 && count < remainders.len() {
        remainders.select_nth_unstable_by(count - 1, |one, other| other.cmp(one));
    }
    for (_, std::cmp::Reverse(index)) in remainders.into_iter().take(count) {
        shares[index] += left.signum();
    }
    shares
}

/// Credits as whole numbers that add up to less than about 10^19. They are scaled by a power of
/// ten, so credits such as 0.4 stay exact.
fn weights(credits: &[f64]) -> Vec<i128> {
    let good = |credit: &f64| if credit.is_finite() && *credit > 0.0 { *credit } else { 0.0 };
    let sum: f64 = credits.iter().map(good).sum();
    if sum <= 0.0 || !sum.is_finite() {
        return vec![0; credits.len()];
    }
    // Beyond 10^300 the power would be infinite. Sums below 10^-282 lose digits and finally count
    // as 0.
    let scale = 10_f64.powi((DIGITS - sum.log10().floor() as i32).min(300));
    credits.iter().map(|credit| (good(credit) * scale).round() as i128).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn check(amount: i64, credits: &[f64], expected: &[i64]) {
        assert_eq!(split(amount, credits), expected, "{amount} by {credits:?}");
    }

    #[test]
    fn shares_are_exact() {
        check(100, &[1.0], &[100]);
        check(100, &[0.4, 0.2, 0.4], &[40, 20, 40]);
        check(100, &[1.0 / 3.0; 3], &[34, 33, 33]);
        check(-100, &[1.0 / 3.0; 3], &[-34, -33, -33]);
        check(101, &[0.5, 0.5], &[51, 50]);
        check(1, &[0.25, 0.25, 0.5], &[0, 0, 1]);
        check(2, &[0.225, 0.325, 0.225, 0.225], &[1, 1, 0, 0]);
        // Weights of any magnitude work.
        check(1000, &[3.0, 1.0], &[750, 250]);
        check(1000, &[3e-200, 1e-200], &[750, 250]);
        check(1000, &[3e200, 1e200], &[750, 250]);
        check(i64::MAX, &[0.5, 0.5], &[i64::MAX / 2 + 1, i64::MAX / 2]);
        check(i64::MIN, &[0.5, 0.5], &[i64::MIN / 2, i64::MIN / 2]);
        check(7, &[], &[]);
        check(7, &[0.0, 0.0], &[0, 0]);
        check(7, &[1e-320, 1e-320], &[0, 0]);
        check(7, &[f64::NAN, 1.0, -1.0, f64::INFINITY], &[0, 7, 0, 0]);
        check(0, &[0.5, 0.5], &[0, 0]);
    }

    proptest! {
        #[test]
        fn nothing_is_lost(
            amount: i64,
            credits in prop::collection::vec(prop_oneof![Just(0.0), 0.0..1.0, Just(0.4), 1e-9..1e-6], 1..60),
        ) {
            let shares = split(amount, &credits);
            let refunds = split(amount.saturating_neg(), &credits);
            let sum: f64 = credits.iter().sum();
            let total: i128 = shares.iter().map(|share| i128::from(*share)).sum();
            prop_assert_eq!(total, if sum > 0.0 { i128::from(amount) } else { 0 });
            for (index, share) in shares.iter().enumerate() {
                if amount != i64::MIN {
                    prop_assert_eq!(refunds[index], -share);
                }
                if sum > 0.0 {
                    let exact = amount as f64 * credits[index] / sum;
                    // Floats of large amounts are more than a unit apart.
                    let slack = 1.0 + amount.unsigned_abs() as f64 * 1e-14;
                    prop_assert!((*share as f64 - exact).abs() <= slack, "{share} for {exact}");
                }
            }
        }

        #[test]
        fn fine_units_too(
            amount in -10_i128.pow(38)..10_i128.pow(38),
            credits in prop::collection::vec(0.001..1.0, 1..20),
        ) {
            prop_assert_eq!(split_units(amount, &credits).iter().sum::<i128>(), amount);
        }
    }
}
