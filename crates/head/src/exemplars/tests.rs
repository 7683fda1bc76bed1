use model::Timestamp;
use proptest::prelude::*;

use super::*;

const NAMES: [&str; 3] = ["a", "b", "c"];

fn tenant(of: u8) -> TenantId {
    // Two tenants, one of which owns one series.
    if of == 2 { TenantId::new("other").unwrap() } else { TenantId::default() }
}

fn series(of: u8) -> Labels {
    Labels::from_pairs([("__name__", NAMES[usize::from(of)])])
}

fn limits(max_exemplars: u64, out_of_order_ms: i64) -> HeadLimits {
    HeadLimits { max_exemplars, out_of_order_ms, ..HeadLimits::default() }
}

fn sent(time: i64, value: f64, trace: &str, is_timed: bool) -> SentExemplar {
    let labels = Labels::from_pairs([("trace", trace)]);
    SentExemplar { exemplar: Exemplar { labels, value, timestamp: Timestamp(time) }, is_timed }
}

fn read(exemplars: &Exemplars, of: u8) -> Vec<(i64, f64)> {
    let found =
        exemplars.select(&tenant(of), &[vec![Matcher::equal("__name__", NAMES[usize::from(of)])]], i64::MIN..=i64::MAX);
    let all = found.iter().flat_map(|(_, exemplars)| exemplars);
    all.map(|exemplar| (exemplar.timestamp.as_ms(), exemplar.value)).collect()
}

#[test]
fn the_oldest_go_first_whatever_their_times() {
    let mut exemplars = Exemplars::default();
    for (of, time) in [(0, 50), (1, 10), (0, 60), (1, 20)] {
        let kept = exemplars.append(&tenant(of), &series(of), &sent(time, 1.0, "t", true), &limits(3, 0));
        assert_eq!(kept, Ok(()));
    }
    assert_eq!((read(&exemplars, 0), read(&exemplars, 1)), (vec![(60, 1.0)], vec![(10, 1.0), (20, 1.0)]));
    exemplars.shrink(1);
    assert_eq!((read(&exemplars, 0), read(&exemplars, 1)), (vec![], vec![(20, 1.0)]));
    exemplars.shrink(0);
    assert_eq!((exemplars.len(), exemplars.size_bytes()), (0, 0));
}

#[track_caller]
fn check(before: &[SentExemplar], next: &SentExemplar, out_of_order_ms: i64, expected: Result<usize, &'static str>) {
    let (limits, mut exemplars) = (limits(10, out_of_order_ms), Exemplars::default());
    for sent in before {
        assert_eq!(exemplars.append(&tenant(0), &series(0), sent, &limits), Ok(()));
    }
    let answer = exemplars.append(&tenant(0), &series(0), next, &limits);
    assert_eq!(answer.map(|()| exemplars.len() - before.len()), expected);
}

#[test]
fn exemplars_come_in_order_and_once() {
    let at = |time| sent(time, 5.0, "t", true);
    check(&[at(10)], &at(11), 0, Ok(1));
    check(&[at(10)], &at(10), 0, Ok(0));
    check(&[at(10)], &at(9), 0, Err(OUT_OF_ORDER));
    // At one time values ascend, as those of a histogram's buckets do.
    check(&[at(10)], &sent(10, 6.0, "t", true), 0, Ok(1));
    check(&[at(10)], &sent(10, 4.0, "t", true), 0, Err(OUT_OF_ORDER));
    // Then hashes do: those of Go's `labels.FromStrings("trace", "t").Hash()` and its like.
    let mut texts = ["t", "u"];
    texts.sort_by_key(|text| prometheus_hash(&Labels::from_pairs([("trace", *text)])));
    let [low, high] = texts.map(|text| sent(10, 5.0, text, true));
    check(std::slice::from_ref(&low), &high, 0, Ok(1));
    check(&[high], &low, 0, Err(OUT_OF_ORDER));
    // The window for samples that come late is one for exemplars, too; its end does not belong to it.
    check(&[at(10)], &at(8), 3, Ok(1));
    check(&[at(10)], &at(7), 3, Err(OUT_OF_ORDER));
    check(&[at(8), at(10)], &sent(8, 9.0, "u", true), 3, Ok(0));
}

#[test]
fn without_times_of_their_own_the_same_is_no_news() {
    let at = |time, is_timed| sent(time, 5.0, "t", is_timed);
    check(&[at(10, false)], &at(25, false), 0, Ok(0));
    check(&[at(10, false)], &at(25, true), 0, Ok(1));
    check(&[at(10, false)], &sent(25, 5.0, "u", false), 0, Ok(1));
}

#[test]
fn a_record_that_comes_twice_is_no_news() {
    let at = |time| sent(time, 5.0, "t", true);
    check(&[at(10), at(20)], &at(10), 0, Ok(0));
}

#[test]
fn long_labels_are_refused_and_without_room_nothing_is() {
    check(&[], &sent(1, 1.0, &"é".repeat(123), true), 0, Ok(1));
    check(&[], &sent(1, 1.0, &"é".repeat(124), true), 0, Err(TOO_LONG));
    let mut exemplars = Exemplars::default();
    let long = sent(1, 1.0, &"x".repeat(200), true);
    assert_eq!(exemplars.append(&tenant(0), &series(0), &long, &limits(0, 0)), Ok(()));
    assert_eq!(exemplars.len(), 0);
}

/// One exemplar of the plain model: whose it is, and when, what and which it is.
type Plain = (u8, i64, u8, u8, bool);

/// What Prometheus does, said with a list in the order of coming.
fn append_plain(kept: &mut Vec<Plain>, new: Plain, limit: usize, window: i64) {
    let (of, time, value, trace, is_timed) = new;
    let is_same = |old: &Plain| (old.2, old.3) == (value, trace) && (old.1 == time || !(old.4 || is_timed));
    let mut own: Vec<Plain> = kept.iter().copied().filter(|old| old.0 == of).collect();
    own.sort_by_key(|old| old.1);
    if let Some(newest) = own.last() {
        let hash = |trace: u8| prometheus_hash(&Labels::from_pairs([("trace", trace.to_string().as_str())]));
        let is_before = (time, value, hash(trace)) < (newest.1, newest.2, hash(newest.3));
        let is_late = time < newest.1 && time > newest.1 - window;
        if is_same(newest) || (is_before && !is_late) || (is_late && own.iter().any(|old| old.1 == time)) {
            return;
        }
    }
    if kept.len() == limit {
        kept.remove(0);
    }
    kept.push(new);
}

proptest! {
    #[test]
    fn a_store_is_a_ring(
        all in prop::collection::vec((0u8..3, 0i64..40, 0u8..3, 0u8..3, any::<bool>()), 0..120),
        limit in 1usize..12,
        window in prop_oneof![Just(0i64), 1i64..20],
    ) {
        let (mut exemplars, mut plain) = (Exemplars::default(), Vec::new());
        for new in all {
            let (of, time, value, trace, is_timed) = new;
            let sent = sent(time, f64::from(value), &trace.to_string(), is_timed);
            let before = exemplars.clone();
            let refused = exemplars.append(&tenant(of), &series(of), &sent, &limits(limit as u64, window)).is_err();
            prop_assert!(!refused || before.queue == exemplars.queue);
            append_plain(&mut plain, new, limit, window);
            for of in 0..3 {
                let mut own: Vec<Plain> = plain.iter().copied().filter(|old| old.0 == of).collect();
                own.sort_by_key(|old| old.1);
                let own: Vec<(i64, f64)> = own.iter().map(|old| (old.1, f64::from(old.2))).collect();
                prop_assert_eq!(read(&exemplars, of), own);
            }
        }
        let Saved { series, exemplars: saved } = exemplars.to_saved();
        let mut loaded = Exemplars::default();
        for (at, exemplar) in &saved {
            let (tenant, series) = series[*at as usize];
            loaded.put_saved(tenant, series, exemplar);
        }
        prop_assert_eq!(loaded.size_bytes(), exemplars.size_bytes());
        prop_assert_eq!(loaded.to_saved(), exemplars.to_saved());
        exemplars.shrink(0);
        prop_assert_eq!(exemplars.size_bytes(), 0);
    }
}
