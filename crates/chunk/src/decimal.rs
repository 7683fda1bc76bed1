//! Floats that are decimals, as integers.
//!
//! Nearly every measured number has few digits: `value = integer / 10^exponent`, and IEEE division of the two gives back
//! exactly the float that a parser makes of the text. What a program computed (a sum of such numbers, a product with
//! 0.001) misses it by some units in the last place, which are kept as a *correction*: the difference of the bits.

/// `POWERS[k]` is 10^k, exact as a float.
pub(crate) const POWERS: [f64; 18] =
    [1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17];

/// Integers stay below: this is where [`ROUND`] works.
const LIMIT: f64 = (1u64 << 51) as f64;
/// 1.5 · 2^52: added to a float below [`LIMIT`] it leaves the nearest integer in the lowest bits.
const ROUND: f64 = 6_755_399_441_055_744.0;

/// The integer nearest to `value · power`; `None` if it is out of range or there is none.
pub(crate) fn nearest(value: f64, power: f64) -> Option<i64> {
    let scaled = value * power;
    (scaled.abs() < LIMIT).then(|| lowest_bits(scaled))
}

fn lowest_bits(scaled: f64) -> i64 {
    (scaled + ROUND).to_bits().wrapping_sub(ROUND.to_bits()) as i64
}

/// The float that `integer` stands for.
pub(crate) fn float(integer: i64, power: f64) -> f64 {
    integer as f64 / power
}

/// What must be added to the bits of the decimal to get those of `value`.
pub(crate) fn correction(value: f64, integer: i64, power: f64) -> i64 {
    value.to_bits().wrapping_sub(float(integer, power).to_bits()) as i64
}

/// The inverse of [`correction`].
pub(crate) fn corrected(decimal: f64, correction: i64) -> f64 {
    f64::from_bits(decimal.to_bits().wrapping_add_signed(correction))
}

/// Whether `value` is an integer divided by `power`, or misses it by so little that the correction is worth it.
///
/// The bounds are chosen so that chance makes a decimal of one float in 32 at most, and that a correction takes about ten
/// bits at most. They decide what an encoder prefers, not what bytes mean.
pub(crate) fn is_near(value: f64, power: f64) -> bool {
    const SMALL: f64 = 1.0 / 64.0;
    const CLOSE: f64 = 1.0 / (1u64 << 44) as f64;
    let scaled = value * power;
    let error = (scaled - ((scaled + ROUND) - ROUND)).abs();
    scaled.abs() < LIMIT && error <= SMALL && error <= scaled.abs() * CLOSE
}

/// The smallest exponent of at least `from` with which `value` is near a decimal.
pub(crate) fn exponent(value: f64, from: usize) -> Option<usize> {
    (from..POWERS.len()).find(|exponent| is_near(value, POWERS[*exponent]))
}

/// The smallest exponent with which all but a few finite values are near decimals.
pub(crate) fn common_exponent(values: &[f64]) -> Option<usize> {
    let mut common = 0;
    let mut misses = 0;
    for value in values {
        if is_near(*value, POWERS[common]) || !value.is_finite() {
            continue;
        }
        match exponent(*value, common + 1) {
            Some(exponent) => common = exponent,
            None => misses += 1,
        }
        // More would cost more than not to treat the column as decimals.
        if misses > values.len() / 8 {
            return None;
        }
    }
    Some(common)
}

/// Fills `integers` with those nearest to `values`, and returns whether any needs a correction.
///
/// A float without an integer near takes that of its neighbour, so that it doesn't stand out.
pub(crate) fn to_integers(values: &[f64], power: f64, integers: &mut Vec<i64>) -> bool {
    integers.clear();
    let mut differences = 0;
    let mut representable = true;
    integers.extend(values.iter().map(|value| {
        let scaled = value * power;
        let fits = scaled.abs() < LIMIT;
        let scaled = if fits { scaled } else { 0.0 };
        representable &= fits;
        differences |= value.to_bits() ^ (((scaled + ROUND) - ROUND) / power).to_bits();
        lowest_bits(scaled)
    }));
    if !representable {
        borrow_from_neighbours(values, power, integers);
    }
    differences != 0
}

fn borrow_from_neighbours(values: &[f64], power: f64, integers: &mut [i64]) {
    let mut last = values.iter().find_map(|value| nearest(*value, power)).unwrap_or(0);
    for (integer, value) in integers.iter_mut().zip(values) {
        *integer = nearest(*value, power).unwrap_or(last);
        last = *integer;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn decimals_are_known_by_their_digits() {
        for (value, expected) in [
            (0.0, Some(0)),
            (-12.0, Some(0)),
            (0.5, Some(1)),
            (0.1 + 0.2, Some(1)),
            (2010.0 * 0.001, Some(2)),
            (1.5e-5, Some(6)),
            (0.123_456_789, Some(9)),
            (2f64.powi(51) - 1.0, Some(0)),
            (2f64.powi(51), None),
            (2f64.sqrt(), None),
            (5e-324, None),
            (f64::NAN, None),
            (f64::INFINITY, None),
        ] {
            assert_eq!(exponent(value, 0), expected, "{value}");
        }
    }

    #[test]
    fn the_common_exponent_bears_a_few_misses() {
        let decimals = [1.0, 2.5, 3.25, 4.0, 5.0, 6.0, 7.0, 2f64.sqrt()];
        assert_eq!(common_exponent(&decimals), Some(2));
        assert_eq!(common_exponent(&decimals[4..]), None);
        assert_eq!(common_exponent(&[f64::NAN, 0.5, f64::NAN]), Some(1));
    }

    #[test]
    fn what_has_no_integer_borrows_one() {
        let mut integers = Vec::new();
        assert!(to_integers(&[f64::NAN, 1.5, f64::INFINITY, 2.5], 10.0, &mut integers));
        assert_eq!(integers, [15, 15, 15, 25]);
    }

    proptest! {
        #[test]
        fn what_a_parser_makes_of_digits_is_exact(integer in -(1i64 << 51) + 1..1i64 << 51, exponent in 0..17usize) {
            let value: f64 = format!("{integer}e-{exponent}").parse().unwrap();
            prop_assert_eq!(value, float(integer, POWERS[exponent]));
        }

        #[test]
        fn corrections_correct(value: u64, integer: i64, exponent in 0..18usize) {
            let (value, power) = (f64::from_bits(value), POWERS[exponent]);
            let correction = correction(value, integer, power);
            prop_assert_eq!(corrected(float(integer, power), correction).to_bits(), value.to_bits());
        }
    }
}
