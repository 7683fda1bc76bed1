//! Quantiles of floats.

use std::cmp::Ordering;

use crate::go_sort::{INSERTED, sort_as_go};

/// The `q`-quantile of values, between two of them in proportion: −Inf below 0, +Inf above 1, NaN if there are none.
///
/// NaN is smaller than everything. The values are put into some order.
pub(crate) fn quantile_of(q: f64, values: &mut [f64]) -> f64 {
    if values.is_empty() || q.is_nan() {
        return f64::NAN;
    }
    if q < 0.0 {
        return f64::NEG_INFINITY;
    }
    if q > 1.0 {
        return f64::INFINITY;
    }
    let rank = q * (values.len() - 1) as f64;
    let lower = rank.floor() as usize;
    let weight = rank - rank.floor();
    if values.len() <= INSERTED {
        // The order of 0 and −0 decides which of them the quantile is.
        sort_as_go(values, |a, b| ascending(a, b).is_lt());
    } else {
        values.select_nth_unstable_by(lower, ascending);
    }
    let lower_value = values[lower];
    let upper_value = values[lower + 1..].iter().copied().min_by(ascending).unwrap_or(lower_value);
    lower_value * (1.0 - weight) + upper_value * weight
}

/// The order of values in which NaN comes first.
fn ascending(a: &f64, b: &f64) -> Ordering {
    a.partial_cmp(b).unwrap_or_else(|| b.is_nan().cmp(&a.is_nan()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_lie_between_values() {
        let of = |q, values: &[f64]| quantile_of(q, &mut values.to_vec());
        let values = [3.0, 1.0, 4.0, 2.0];
        assert_eq!([0.0, 0.5, 0.9, 1.0].map(|q| of(q, &values)), [1.0, 2.5, 3.7, 4.0]);
        assert_eq!((of(-0.1, &values), of(1.1, &values)), (f64::NEG_INFINITY, f64::INFINITY));
        assert!(of(0.5, &[]).is_nan() && of(f64::NAN, &values).is_nan());
        assert!(of(0.0, &[1.0, f64::NAN]).is_nan());
        assert_eq!(of(1.0, &[f64::NAN, 1.0, f64::NAN]), 1.0);
        assert_eq!([[0.0, -0.0], [-0.0, 0.0]].map(|zeros| of(1.0, &zeros).is_sign_negative()), [true, false]);
        let many: Vec<f64> = (0..101).map(|number| f64::from(number * 37 % 101)).collect();
        assert_eq!([0.0, 0.255, 1.0].map(|q| of(q, &many)), [0.0, 25.5, 100.0]);
    }
}
