//! A head against a plain map.

#![expect(clippy::unwrap_used, reason = "a test stops where something fails")]

mod plain;
mod world;

use head::{HeadLimits, Outcome};
use model::STALE_NAN;
use proptest::prelude::*;
use world::{Action, Page, World};

/// Windows of a hundred units, ticks up to thirty late.
const LIMITS: HeadLimits = HeadLimits { window_ms: 100, tick_window_ms: 30, out_of_order_ms: 0, max_exemplars: 20 };

fn page(series: &[(u8, f64)]) -> Page {
    Page { series: series.to_vec(), ..Page::default() }
}

#[test]
fn a_series_that_is_gone_from_the_page_ends() {
    let mut world = World::new(LIMITS);
    world.scrape(0, 10, &page(&[(1, 1.0), (2, 2.0)]));
    world.scrape(0, 20, &page(&[(1, 1.5)]));
    world.scrape(0, 30, &page(&[(1, 1.5)]));
    assert_eq!(world.read(0, 2), [(10, 2.0f64.to_bits()), (20, STALE_NAN.to_bits())]);
    world.scrape(0, 40, &page(&[(1, 1.5), (2, 7.0)]));
    assert_eq!(world.read(0, 2).last(), Some(&(40, 7.0f64.to_bits())), "and begins again");
    world.check();
}

#[test]
fn the_first_commit_of_a_tick_wins_and_a_late_tick_ends_nothing() {
    let mut world = World::new(LIMITS);
    assert_eq!(world.scrape(0, 10, &page(&[(1, 1.0)])).outcome, Outcome::Stored);
    assert_eq!(world.scrape(0, 10, &page(&[(1, 9.0)])).outcome, Outcome::Duplicate);
    world.scrape(0, 30, &page(&[(1, 3.0), (2, 3.0)]));
    assert_eq!(world.scrape(0, 20, &page(&[(1, 2.0)])).outcome, Outcome::Stored, "an older tick may still come");
    assert_eq!(world.scrape(0, 20, &page(&[(1, 2.0)])).outcome, Outcome::Duplicate);
    assert_eq!(world.read(0, 1).iter().map(|(time, _)| *time).collect::<Vec<_>>(), [10, 20, 30]);
    assert_eq!(world.read(0, 2), [(30, 3.0f64.to_bits())], "the late tick has no say about what is on the page now");
    world.scrape(0, 70, &page(&[(1, 2.0)]));
    assert_eq!(world.scrape(0, 35, &page(&[(1, 2.0)])).outcome, Outcome::TooOld);
    world.check();
}

#[test]
fn a_final_record_ends_everything_unless_its_sender_was_replaced() {
    let mut world = World::new(LIMITS);
    world.owner_epoch = 5;
    world.scrape(0, 10, &page(&[(1, 1.0)]));
    world.owner_epoch = 4;
    assert_eq!(world.end(0, 15).outcome, Outcome::Superseded);
    world.owner_epoch = 5;
    assert_eq!(world.end(0, 15).outcome, Outcome::Stored);
    assert_eq!(world.end(0, 16).outcome, Outcome::Duplicate);
    assert_eq!(world.read(0, 1).last(), Some(&(15, STALE_NAN.to_bits())));
    world.check();
}

#[test]
fn a_layout_must_be_known_or_said() {
    let mut world = World::new(LIMITS);
    let page = page(&[(1, 1.0)]);
    assert_eq!(world.scrape_known(0, 10, &page).outcome, Outcome::UnknownLayout);
    world.scrape(0, 10, &page);
    assert_eq!(world.scrape_known(0, 20, &page).outcome, Outcome::Stored);
    world.check();
}

#[test]
fn cuts_have_everything_once() {
    let mut world = World::new(LIMITS);
    for time in (0..300).step_by(10) {
        world.scrape(0, time, &page(&[(1, time as f64), (2, 2.0)]));
        world.push(3, time + 1, time as f64);
    }
    world.cut(1, 100);
    world.cut(2, 200);
    let (first, second) = (world.cut_samples(1), world.cut_samples(2));
    assert_eq!(first.len(), 30);
    assert!(first.keys().all(|(_, time)| *time < 100) && second.keys().all(|(_, time)| (100..200).contains(time)));
    world.shipped(1, 77, 100);
    assert_eq!(world.head.view().held_from(), (100, 77));
    world.check();
    assert!(world.cut_samples(1).is_empty());
}

fn value() -> impl Strategy<Value = f64> {
    prop_oneof![
        Just(0.0),
        Just(1.5),
        (0..1000i32).prop_map(f64::from),
        any::<f64>().prop_filter("no marker", |v| !model::is_stale(*v))
    ]
}

fn pages() -> impl Strategy<Value = Page> {
    let series = prop::collection::btree_map(0u8..12, value(), 0..10);
    let timed = prop::collection::btree_set(0u8..12, 0..2);
    let histograms = prop::collection::btree_set(0u8..12, 0..2);
    let began = prop_oneof![6 => Just(1i64), 2 => Just(0), 2 => 2i64..6];
    (series, timed, histograms, any::<bool>(), any::<bool>(), 0i64..30, began).prop_map(
        |(series, timed, histograms, lean, delta, age, began)| Page {
            series: series.into_iter().collect(),
            timed,
            histograms,
            lean,
            delta,
            age,
            began,
        },
    )
}

fn action() -> impl Strategy<Value = Action> {
    prop_oneof![
        12 => (0u8..3, 1i64..40, pages()).prop_map(|(target, ahead, page)| Action::Scrape { target, ahead, page }),
        3 => (0u8..3, 0i64..40, pages()).prop_map(|(target, behind, page)| Action::Late { target, behind, page }),
        1 => (0u8..3).prop_map(|target| Action::End { target }),
        4 => (0u8..6, -30i64..40, value()).prop_map(|(series, ahead, value)| Action::Push { series, ahead, value }),
        1 => Just(Action::Cut),
        1 => Just(Action::Ship),
        1 => Just(Action::Reload),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn a_head_is_the_map_of_its_samples(actions in prop::collection::vec(action(), 1..120), out_of_order in any::<bool>()) {
        let limits = HeadLimits { out_of_order_ms: if out_of_order { 60 } else { 0 }, ..LIMITS };
        let mut world = World::new(limits);
        for action in actions {
            world.act(action);
        }
        world.check();
    }
}
