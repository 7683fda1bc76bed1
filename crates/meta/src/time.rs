//! What time it is in the cluster.

/// Clocks that are apart by no more than this say the same.
const AGREEMENT_MS: i64 = 5_000;

/// The cluster's time, given what those of `ingesters` say that were heard lately, and what it would be if it went on as it
/// went. `None` as long as too few were heard to know: fewer than half of all clocks may be wrong, the one beside which
/// this runs among them.
pub(crate) fn agreed(mut clocks: Vec<i64>, ingesters: usize, going_on: Option<i64>) -> Option<i64> {
    clocks.sort_unstable();
    let ingesters = ingesters.max(clocks.len());
    let wrong = ingesters.saturating_sub(1) / 2;
    if clocks.len() <= wrong {
        return going_on;
    }
    // A time before `low`, or after `high`, would make too many of them wrong.
    let (last, middle) = (clocks.len() - 1, clocks.len() / 2);
    let low = clocks[(last - wrong).min(last / 2)];
    let high = clocks[wrong.max(middle)];
    match going_on {
        Some(time) => Some(time.clamp(low, high)),
        None => (high - low <= AGREEMENT_MS || clocks.len() == ingesters).then_some(low),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_wrong_clock_of_three_counts_for_nothing() {
        for wrong in [-3_600_000, 3_600_000] {
            let middle = if wrong > 0 { 1_040 } else { 1_000 };
            assert_eq!(agreed(vec![1_000, 1_040, wrong], 3, Some(1_020)), Some(middle));
            assert_eq!(agreed(vec![1_000, 1_040, wrong], 3, None), Some(middle));
            assert_eq!(agreed(vec![wrong], 3, None), None, "it may be the wrong one");
            assert_eq!(agreed(vec![wrong, 1_000], 3, None), None, "nobody knows which is wrong");
            assert_eq!(agreed(vec![wrong, 1_000], 3, Some(1_020)), Some(if wrong > 0 { 1_020 } else { 1_000 }));
            assert_eq!(agreed(vec![wrong], 3, Some(1_020)), Some(1_020));
        }
    }

    #[test]
    fn two_that_agree_are_enough_of_three() {
        assert_eq!(agreed(vec![1_000, 1_040], 3, None), Some(1_000));
        assert_eq!(agreed(vec![1_000, 1_040], 5, None), None);
    }

    #[test]
    fn where_the_middle_lies_between_two_the_time_goes_on() {
        assert_eq!(agreed(vec![0, 100_000], 2, Some(50_000)), Some(50_000));
        assert_eq!(agreed(vec![0, 100_000], 2, None), Some(0), "all were heard");
        assert_eq!(agreed(vec![0, 10, 20, 100_000], 4, Some(15)), Some(15));
        assert_eq!(agreed(vec![0, 10, 20, 100_000], 4, Some(70)), Some(20));
    }

    #[test]
    fn a_lone_ingester_is_right() {
        assert_eq!(agreed(vec![7], 1, None), Some(7));
        assert_eq!(agreed(vec![7], 0, Some(3)), Some(7));
        assert_eq!(agreed(vec![], 0, None), None);
    }
}
