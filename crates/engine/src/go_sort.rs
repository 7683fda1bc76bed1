//! Sorting as Go does, where the order of what is equal shows.

/// Up to so many elements Go sorts by insertion.
pub(crate) const INSERTED: usize = 12;

/// Sorts by what has to come first of two, of which NaN may make nonsense: each of two elements may have to be before the
/// other one.
///
/// Up to twelve elements are left in the order in which Go leaves them. Beyond, equal ones stay in their order, which Go's
/// sort does not promise.
pub(crate) fn sort_as_go<T>(items: &mut [T], comes_first: impl Fn(&T, &T) -> bool) {
    if items.len() > INSERTED {
        items.sort_by(|a, b| comes_first(b, a).cmp(&comes_first(a, b)));
        return;
    }
    for end in 1..items.len() {
        let mut at = end;
        while at > 0 && comes_first(&items[at], &items[at - 1]) {
            items.swap(at, at - 1);
            at -= 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The positions of values, the largest first and NaN last.
    fn sorted(values: &[f64]) -> Vec<usize> {
        let mut order: Vec<usize> = (0..values.len()).collect();
        sort_as_go(&mut order, |a, b| values[*b].is_nan() || values[*b] < values[*a]);
        order
    }

    #[test]
    fn few_elements_are_inserted() {
        assert_eq!(sorted(&[1.0, 2.0, 1.0, 3.0]), [3, 1, 0, 2]);
        // Each NaN has to be before the other.
        assert_eq!(sorted(&[f64::NAN, 1.0, f64::NAN, 2.0]), [3, 1, 2, 0]);
    }

    #[test]
    fn many_elements_are_sorted_whatever_is_among_them() {
        let values: Vec<f64> = (0..60).map(|at| if at % 7 == 0 { f64::NAN } else { f64::from(at * 37 % 10) }).collect();
        let order = sorted(&values);
        let numbers = order.iter().position(|at| values[*at].is_nan()).expect("there are some NaNs");
        assert!(order[..numbers].is_sorted_by(|a, b| values[*a] >= values[*b]));
        assert_eq!(order[numbers..], [0, 7, 14, 21, 28, 35, 42, 49, 56]);
    }
}
