//! What all distances in a column are multiples of: pages of memory, the ticks of a clock, a constant rate.

/// The largest number that divides the distance of every value from the first; 1 if there is no distance.
pub(super) fn divisor(values: &[i64], first: i64) -> u64 {
    let any = values.iter().fold(0, |any, value| any | value.wrapping_sub(first));
    if any == 0 {
        return 1;
    }
    let shift = any.trailing_zeros();
    let mut odd = 0;
    for value in values {
        let distance = value.wrapping_sub(first).unsigned_abs() >> shift;
        if odd == 0 || distance % odd != 0 {
            odd = common_divisor(odd, distance);
        }
        // Most columns end here after a few values.
        if odd == 1 {
            break;
        }
    }
    odd << shift
}

/// The greatest common divisor, by shifts and subtractions: divisions would be several times slower.
fn common_divisor(mut a: u64, mut b: u64) -> u64 {
    if a == 0 || b == 0 {
        return a | b;
    }
    let shift = (a | b).trailing_zeros();
    a >>= a.trailing_zeros();
    while b != 0 {
        b >>= b.trailing_zeros();
        (a, b) = (a.min(b), a.abs_diff(b));
    }
    a << shift
}

/// Replaces every value by its distance from `first` in units of `divisor`, which divides it.
pub(super) fn divide(values: &mut [i64], first: i64, divisor: u64) {
    let shift = divisor.trailing_zeros();
    for value in values.iter_mut() {
        *value = value.wrapping_sub(first) >> shift;
    }
    let odd = (divisor >> shift) as i64;
    if odd > 1 {
        for value in values {
            *value /= odd;
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn divisors_are_the_largest() {
        assert_eq!(divisor(&[5, 5, 5], 5), 1);
        assert_eq!(divisor(&[5, 11, 14], 5), 3);
        assert_eq!(divisor(&[0, -4096 * 15, 4096 * 21], 0), 4096 * 3);
        assert_eq!(divisor(&[0, i64::MIN], 0), 1 << 63);
    }

    proptest! {
        #[test]
        fn quotients_give_the_values_back(values in prop::collection::vec(any::<i64>(), 1..9), unit in 1..9999i64) {
            let values: Vec<_> = values.iter().map(|value| value.wrapping_mul(unit)).collect();
            let divisor = divisor(&values, values[0]);
            let mut quotients = values.clone();
            divide(&mut quotients, values[0], divisor);
            for (quotient, value) in quotients.iter().zip(&values) {
                prop_assert_eq!(values[0].wrapping_add(quotient.wrapping_mul(divisor as i64)), *value);
            }
        }
    }
}
