//! Targets that are split while they are scraped, by one scraper or two that think differently of it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use distributor::{Delivery, Outgoing};
use exposition::{Format, Options};
use futures::FutureExt;
use futures::future::BoxFuture;
use model::{Labels, TargetId, TenantId};
use parking_lot::Mutex;
use proptest::prelude::*;
use proto::entry::record;
use tokio::sync::oneshot;

use super::{FakeShard, Samples};
use crate::job::Job;
use crate::page::{Page, Pages, Report, Stamp, Tools};
use crate::shipment::{Header, Shipment, Shipped, Sink, Turns, ship};
use crate::status::Health;
use crate::target::Target;

const INTERVAL_MS: i64 = 10_000;
/// A part has no more series than this, five of which the scrape reports about itself.
const MOST: usize = 16;

/// A shard that answers when the test says so.
struct Post {
    shard: FakeShard,
    queue: Mutex<Vec<(Outgoing, oneshot::Sender<Delivery>)>>,
}

impl Post {
    fn new() -> Arc<Self> {
        Arc::new(Self { shard: FakeShard::new(), queue: Mutex::default() })
    }

    /// Lets a record arrive that waits. Its answer may be lost: it is sent once more then.
    fn deliver(&self, choice: usize, is_lost: bool) -> bool {
        let mut queue = self.queue.lock();
        if queue.is_empty() {
            return false;
        }
        let at = choice % queue.len();
        let Some(record::Record::Scrape(scrape)) = &queue[at].0.record.record else { panic!("scrapers send scrapes") };
        let answer = self.shard.apply(scrape);
        if !is_lost {
            // Its sender waits for it for as long as the test lives.
            queue.remove(at).1.send(Ok(answer)).unwrap();
        }
        true
    }
}

impl Sink for Post {
    fn append(&self, records: Vec<Outgoing>) -> BoxFuture<'static, Vec<Delivery>> {
        let mut answers = Vec::new();
        for outgoing in records {
            let (sender, answer) = oneshot::channel();
            self.queue.lock().push((outgoing, sender));
            answers.push(answer);
        }
        async move { futures::future::join_all(answers).await.into_iter().map(Result::unwrap).collect() }.boxed()
    }
}

/// What one scraper knows of the target.
struct Scraper {
    post: Arc<Post>,
    pages: Pages,
    tools: Tools,
    under_way: Vec<BoxFuture<'static, Vec<Shipped>>>,
}

impl Scraper {
    fn new(post: &Arc<Post>) -> Self {
        let (pages, tools) = (Pages::with_part_series(MOST), Tools::new(1));
        Self { post: post.clone(), pages, tools, under_way: Vec::new() }
    }

    /// Sends a scrape on its way: of a page with these series, or one that failed.
    fn scrape(&mut self, tick: i64, series: Option<&BTreeSet<u32>>) -> f64 {
        let tick_ms = tick * INTERVAL_MS;
        let stamp = Stamp { tick_ms, timestamp_ms: tick_ms, wall_ms: tick_ms };
        let target = target();
        let report = |counts, health| Report {
            health,
            duration_seconds: 0.5,
            counts,
            timeout_seconds: 10.0,
            sample_limit: 0,
            body_size: 9,
        };
        let job = Job::new("j");
        let mut added = 0;
        let rows = match series {
            Some(series) => {
                let body: String = series.iter().map(|at| line(*at, tick)).collect();
                let page = Page { body: body.as_bytes(), format: Format::Text, job: &job, target: &target };
                let (rows, _, result) = self.pages.rows(page, stamp, &mut self.tools, |counts, health| {
                    added = counts.added;
                    report(counts, health)
                });
                result.unwrap();
                rows
            }
            None => self.pages.empty_rows(&job, &target, &report(Default::default(), Health::Down), &mut self.tools),
        };
        let header =
            Header { tenant: TenantId::default(), target: target.id, owner_epoch: 1, interval_ms: INTERVAL_MS, stamp };
        let turns = if self.pages.are_told(tick_ms) { Turns::Together } else { Turns::AfterParents };
        self.under_way.push(ship(self.post.clone(), Shipment::rows(&header, rows), turns));
        f64::from(added)
    }

    /// Takes note of what was answered.
    fn settle(&mut self) {
        let mut context = Context::from_waker(Waker::noop());
        let mut waiting = Vec::new();
        for mut scrape in std::mem::take(&mut self.under_way) {
            match scrape.poll_unpin(&mut context) {
                Poll::Ready(shipped) => shipped.iter().for_each(|one| self.pages.settle(one.part, &one.settled)),
                Poll::Pending => waiting.push(scrape),
            }
        }
        self.under_way = waiting;
    }

    /// Scrapes, and has everything delivered.
    fn scrape_whole(&mut self, tick: i64, series: Option<&BTreeSet<u32>>) -> f64 {
        let added = self.scrape(tick, series);
        self.settle();
        while self.post.deliver(0, false) {
            self.settle();
        }
        assert!(self.under_way.is_empty());
        added
    }
}

/// One line in three is of a histogram, so that there is something that must stay together.
fn line(at: u32, tick: i64) -> String {
    match at % 3 {
        0 => format!("h_bucket{{n=\"{}\",le=\"{at}\"}} {tick}\n", at / 6),
        _ => format!("m{{n=\"{at}\"}} {tick}\n"),
    }
}

fn labels(at: u32) -> String {
    match at % 3 {
        0 => format!("h_bucket{{instance=\"i\", job=\"j\", le=\"{at}\", n=\"{}\"}}", at / 6),
        _ => format!("m{{instance=\"i\", job=\"j\", n=\"{at}\"}}"),
    }
}

fn target() -> Target {
    Target {
        id: TargetId(7),
        labels: Labels::from_pairs([("job", "j"), ("instance", "i")]),
        discovered: Labels::empty(),
        url: "http://i/metrics".to_owned(),
        unix_socket: None,
        interval: Duration::from_secs(10),
        timeout: Duration::from_secs(10),
        options: Options::default(),
    }
}

/// Which series each scrape had, by tick; `None`: it failed.
type Scrapes = BTreeMap<i64, Option<BTreeSet<u32>>>;

/// What Prometheus would have stored of a series: a value for each page that has it, a marker where it is gone.
fn expected(scrapes: &Scrapes, at: u32) -> Samples {
    let mut samples = Samples::new();
    for (tick, series) in scrapes {
        let is_there = series.as_ref().is_some_and(|series| series.contains(&at));
        if is_there {
            samples.push((tick * INTERVAL_MS, Some(*tick as f64)));
        } else if samples.last().is_some_and(|(_, last)| last.is_some()) {
            samples.push((tick * INTERVAL_MS, None));
        }
    }
    samples
}

#[track_caller]
fn check(post: &Post, scrapes: &Scrapes) {
    let stored = post.shard.read();
    let all: BTreeSet<u32> = scrapes.values().flatten().flatten().copied().collect();
    for at in all {
        assert_eq!(stored[&labels(at)], expected(scrapes, at), "series {at}");
    }
    let up = &stored["up{instance=\"i\", job=\"j\"}"];
    let times: Vec<i64> = up.iter().map(|(time, _)| *time).collect();
    assert_eq!(times, scrapes.keys().map(|tick| tick * INTERVAL_MS).collect::<Vec<_>>());
    let values: Vec<_> = scrapes.values().map(|series| Some(f64::from(u8::from(series.is_some())))).collect();
    assert_eq!(up.iter().map(|(_, value)| *value).collect::<Vec<_>>(), values);
}

fn range(series: std::ops::Range<u32>) -> Option<BTreeSet<u32>> {
    Some(series.collect())
}

/// Everything that is scraped, in its order; a new scraper goes on where `changes` says so.
#[track_caller]
fn check_pages(pages: &[Option<BTreeSet<u32>>], changes: &[usize]) {
    let post = Post::new();
    let mut scraper = Scraper::new(&post);
    let mut scrapes = Scrapes::new();
    for (at, page) in pages.iter().enumerate() {
        if changes.contains(&at) {
            scraper = Scraper::new(&post);
        }
        let tick = at as i64 + 1;
        scrapes.insert(tick, page.clone());
        scraper.scrape_whole(tick, page.as_ref());
        check(&post, &scrapes);
    }
}

#[test]
fn a_series_goes_on_where_its_target_is_split_and_ends_if_it_is_gone() {
    // Grows, loses some just then, fails, shrinks, grows further.
    let page = |range: std::ops::Range<u32>| Some(range.collect());
    check_pages(&[page(0..10), page(2..40), page(2..40), None, page(0..40), page(0..5), page(0..90), page(3..7)], &[]);
    check_pages(&[page(0..10), None, page(4..90), page(4..90)], &[]);
}

#[test]
fn a_new_scraper_goes_on_with_as_many_parts_as_there_are() {
    let page = range;
    // Fewer series than before, for which one part would do.
    check_pages(&[page(0..40), page(0..40), page(0..9), page(1..9), page(0..40), page(0..90)], &[2]);
    // Its first scrape fails; and it has more, or less, than was ever there.
    check_pages(&[page(0..40), None, page(0..40), page(0..3), None], &[1, 3, 4]);
    check_pages(&[page(0..8), page(0..90), page(0..8), page(0..8), page(0..90)], &[1, 2, 3]);
}

#[test]
fn what_a_scrape_says_about_itself_does_not_take_moved_series_for_new_ones() {
    let post = Post::new();
    let mut scraper = Scraper::new(&post);
    let mut added = |tick, series| scraper.scrape_whole(tick, range(series).as_ref());
    assert_eq!([added(1, 0..8), added(2, 0..40), added(3, 0..40), added(4, 0..41)], [8.0, 32.0, 0.0, 1.0]);
}

/// What happens while two scrapers have the target.
#[derive(Clone, Debug)]
enum Step {
    /// Scrapes at the next tick of this scraper.
    Scrape(usize),
    /// A record arrives; its answer may be lost.
    Deliver { choice: usize, is_lost: bool },
    /// The scraper dies, and another one takes its place. What it has sent may still arrive.
    Die(usize),
}

fn steps(may_die: bool, may_lose: bool) -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        4 => (0..2usize).prop_map(Step::Scrape),
        12 => (any::<usize>(), 0..8u8).prop_map(move |(choice, lost)| Step::Deliver { choice, is_lost: lost == 0 && may_lose }),
        u32::from(may_die) => (0..2usize).prop_map(Step::Die),
    ];
    prop::collection::vec(step, 0..150)
}

fn pages() -> impl Strategy<Value = Vec<BTreeSet<u32>>> {
    let page = (0..90u32, prop::collection::btree_set(0..90u32, 0..20));
    let page = page.prop_map(|(count, missing)| (0..count).filter(|at| !missing.contains(at)).collect());
    prop::collection::vec(page, 1..40)
}

/// Lets it all happen. Returns what was scraped and where it went.
fn live(pages: &[BTreeSet<u32>], steps: Vec<Step>) -> (Arc<Post>, BTreeMap<i64, BTreeSet<u32>>) {
    let post = Post::new();
    let mut scrapers = [Scraper::new(&post), Scraper::new(&post)];
    let mut dead = Vec::new();
    let mut ticks = [0i64; 2];
    let mut scraped = BTreeMap::new();
    for step in steps {
        match step {
            Step::Scrape(which) => {
                ticks[which] += 1;
                let page = &pages[ticks[which] as usize % pages.len()];
                scraped.insert(ticks[which], page.clone());
                scrapers[which].scrape(ticks[which], Some(page));
            }
            Step::Deliver { choice, is_lost } => drop(post.deliver(choice, is_lost)),
            Step::Die(which) => dead.push(std::mem::replace(&mut scrapers[which], Scraper::new(&post))),
        }
        scrapers.iter_mut().for_each(Scraper::settle);
    }
    while post.deliver(0, false) {
        scrapers.iter_mut().for_each(Scraper::settle);
    }
    assert!(scrapers.iter().all(|scraper| scraper.under_way.is_empty()), "all is answered");
    (post, scraped)
}

/// Every value is that of its page and is there once, and every marker of a series that is not on its page.
fn check_samples(pages: &[BTreeSet<u32>], steps: Vec<Step>) -> Result<(), TestCaseError> {
    let (post, scraped) = live(pages, steps);
    let mut stored = post.shard.read();
    let log = post.shard.take_log();
    let said = |time: i64| -> Vec<String> {
        let lines = log.iter().enumerate().filter(|(_, (scrape, _))| scrape.tick_ms == time || scrape.part == 0);
        lines
            .map(|(at, (it, outcome))| format!("{at}: {} part {} of {}: {outcome:?}", it.tick_ms, it.part, it.parts))
            .collect()
    };
    for at in 0..90 {
        let samples = stored.remove(&labels(at)).unwrap_or_default();
        let mut seen = BTreeSet::new();
        for (time, value) in samples {
            let is_there = scraped[&(time / INTERVAL_MS)].contains(&at);
            prop_assert_eq!(value, is_there.then_some((time / INTERVAL_MS) as f64), "series {} at {}", at, time);
            prop_assert!(value.is_none() || seen.insert(time), "series {} twice at {}: {:#?}", at, time, said(time));
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    #[test]
    fn nothing_is_stored_twice_or_ends_by_mistake(pages in pages(), steps in steps(false, false)) {
        check_samples(&pages, steps)?;
    }

    #[test]
    fn nothing_is_stored_twice_where_answers_are_lost(pages in pages(), steps in steps(false, true)) {
        check_samples(&pages, steps)?;
    }

    #[test]
    fn nothing_is_stored_twice_where_scrapers_die(pages in pages(), steps in steps(true, false)) {
        check_samples(&pages, steps)?;
    }

    #[test]
    fn nothing_is_missing_while_two_scrapers_have_it(pages in pages(), steps in steps(false, false)) {
        let (post, scraped) = live(&pages, steps);
        let stored = post.shard.read();
        for (tick, series) in scraped {
            for at in series {
                let samples = &stored[&labels(at)];
                prop_assert!(samples.contains(&(tick * INTERVAL_MS, Some(tick as f64))), "series {} at tick {}", at, tick);
            }
        }
    }
}
