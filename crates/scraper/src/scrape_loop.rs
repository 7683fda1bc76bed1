//! The periodic task of one target.

use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;
use futures::stream::FuturesUnordered;
use futures::{FutureExt, StreamExt};
use http::HeaderValue;
use http_client::HttpClient;
use model::TenantId;
use parking_lot::Mutex;
use proto::entry::{Outcome, RecordAnswer};
use stdx::{Clock, CpuPool};
use tokio::sync::watch;
use tokio::time::Instant;

use crate::fetch::{Fetched, ScrapeError, decode, fetch};
use crate::job::Job;
use crate::journal::Journal;
use crate::metrics::Metrics;
use crate::page::{Counts, Page, PageError, Pages, PartRow, Report, Stamp, Tools};
use crate::schedule::Schedule;
use crate::shipment::{Header, Shipment, Shipped, Sink, Turns, ship};
use crate::status::{Health, SharedStatus};
use crate::target::Target;

/// How long after all scrapers are known to act upon a change the former owner of a target may still scrape it, for it hears
/// of that with the next renewal of its lease.
const FAREWELL: Duration = Duration::from_secs(2);

/// What scrape loops share.
pub(crate) struct Shared {
    pub(crate) tenant: TenantId,
    pub(crate) user_agent: HeaderValue,
    pub(crate) sink: Arc<dyn Sink>,
    pub(crate) clock: Clock,
    pub(crate) cpu: CpuPool,
    pub(crate) metrics: Metrics,
    pub(crate) journal: Option<Journal>,
    /// Tools that nobody uses at the moment.
    pub(crate) tools: Mutex<Vec<Tools>>,
    /// Of all tools.
    pub(crate) seed: u64,
}

/// What to do with a target.
#[derive(Clone, Debug)]
pub(crate) struct Order {
    pub(crate) work: Work,
    /// The version of the membership by which this scraper owns the target, or owned it last.
    pub(crate) owner_epoch: u64,
    /// The target's former owner lives, and may not have stopped yet.
    pub(crate) is_shared: bool,
    pub(crate) settings: Arc<Settings>,
}

impl Order {
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        let Self { work, owner_epoch, is_shared, settings } = self;
        (*work, *owner_epoch, *is_shared) == (other.work, other.owner_epoch, other.is_shared)
            && Arc::ptr_eq(settings, &other.settings)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Work {
    /// Scrape it.
    Scrape,
    /// Somebody else owns it now, and may not scrape it yet: go on.
    HandOver,
    /// It left discovery: stop, and end its series.
    End,
    /// Stop.
    Stop,
}

/// How a target is scraped.
#[derive(Debug)]
pub(crate) struct Settings {
    pub(crate) job: Arc<Job>,
    pub(crate) target: Arc<Target>,
    pub(crate) client: HttpClient,
    /// Why the target may not be scraped at all.
    pub(crate) forced_error: Option<Arc<str>>,
}

/// The periodic task of one target.
pub(crate) struct ScrapeLoop {
    shared: Arc<Shared>,
    orders: watch::Receiver<Order>,
    status: SharedStatus,
    /// Until then the target's former owner may scrape it, too.
    shared_until: Option<Instant>,
    pages: Pages,
    /// The order by whose settings the last page was read.
    read_by: Option<Arc<Settings>>,
    last_start: Option<Instant>,
    /// The time of the newest samples that were sent.
    newest_ms: Option<i64>,
    under_way: FuturesUnordered<BoxFuture<'static, Vec<Shipped>>>,
}

/// What a scrape came to.
struct Outcomes {
    pages: Pages,
    rows: Vec<PartRow>,
    counts: Counts,
    error: Option<ScrapeError>,
    duration: Duration,
}

impl ScrapeLoop {
    pub(crate) fn new(shared: Arc<Shared>, orders: watch::Receiver<Order>, status: SharedStatus) -> Self {
        Self {
            shared_until: None,
            shared,
            orders,
            status,
            pages: Pages::default(),
            read_by: None,
            last_start: None,
            newest_ms: None,
            under_way: FuturesUnordered::new(),
        }
    }

    /// Scrapes until it is told to stop, and until everything that was sent is answered.
    pub(crate) async fn run(mut self) {
        let clock = self.shared.clock.clone();
        let mut last_tick = clock.wall_ms() - 1;
        let mut was_shared = false;
        loop {
            let order = self.orders.borrow_and_update().clone();
            if std::mem::replace(&mut was_shared, order.is_shared) || order.is_shared {
                self.shared_until = Some(clock.now() + FAREWELL);
            }
            let schedule = Schedule::new(order.settings.target.id, order.settings.target.interval);
            let (tick, skipped) = schedule.next(last_tick, clock.wall_ms());
            let wait = Duration::from_millis((tick - clock.wall_ms()).max(0).unsigned_abs());
            let is_over = match order.work {
                Work::Scrape | Work::HandOver => false,
                Work::End => self.pages.part_count() == 0,
                Work::Stop => true,
            };
            if is_over {
                if !self.finish().await {
                    return;
                }
                // What passed meanwhile was not for this loop.
                last_tick = last_tick.max(clock.wall_ms() - 1);
                continue;
            }
            if !self.wait(wait).await {
                continue;
            }
            self.shared.metrics.skipped_ticks.inc_by(skipped);
            last_tick = tick;
            match order.work {
                Work::End => self.end(&order, schedule, tick),
                _ => self.scrape(&order, schedule, tick).await,
            }
        }
    }

    /// Waits for what is under way. Returns true if there is another order before all of it is answered.
    async fn finish(&mut self) -> bool {
        loop {
            tokio::select! {
                shipped = self.under_way.next() => match shipped {
                    Some(shipped) => self.settle(shipped),
                    None => return false,
                },
                Ok(()) = self.orders.changed() => return true,
            }
        }
    }

    /// Waits, and takes note of answers meanwhile. Returns false if there is another order.
    async fn wait(&mut self, duration: Duration) -> bool {
        let clock = self.shared.clock.clone();
        let mut time = std::pin::pin!(clock.sleep(duration));
        loop {
            tokio::select! {
                Some(shipped) = self.under_way.next() => self.settle(shipped),
                Ok(()) = self.orders.changed() => return false,
                () = &mut time => return true,
            }
        }
    }

    async fn scrape(&mut self, order: &Order, schedule: Schedule, tick_ms: i64) {
        let shared = self.shared.clone();
        let start = shared.clock.now();
        let wall_ms = shared.clock.wall_ms();
        let stamp = Stamp { tick_ms, timestamp_ms: schedule.timestamp(tick_ms, wall_ms), wall_ms };
        if let Some(last) = self.last_start.replace(start) {
            shared.metrics.observe_interval(schedule.interval_ms(), start.duration_since(last));
        }
        let settings = order.settings.clone();
        if !self.read_by.as_ref().is_some_and(|last| Arc::ptr_eq(last, &settings)) {
            self.pages.forget_shape();
            self.read_by = Some(settings.clone());
        }
        let fetched = self.settle_during(fetch(settings.clone(), shared.user_agent.clone())).await;
        let pages = std::mem::take(&mut self.pages);
        let outcomes = shared.cpu.run({
            let shared = shared.clone();
            move || shared.read(pages, &settings, fetched, stamp, start)
        });
        let Outcomes { pages, rows, counts, error, duration } = outcomes.await;
        self.pages = pages;
        self.report(&counts, error.as_ref(), wall_ms, duration);
        let header = self.header(order, schedule, stamp);
        let shipments = Shipment::rows(&header, rows);
        let turns = if self.pages.are_told(tick_ms) { Turns::Together } else { Turns::AfterParents };
        let is_shared = order.is_shared || self.shared_until.is_some_and(|until| start < until);
        if error.is_some() && is_shared {
            // The former owner may have more luck, and the first to tell of a tick counts: whatever comes of its scrape is there
            // when the time for it is over.
            shared.metrics.withheld_failures.inc();
            self.send_at(start + order.settings.target.timeout, stamp, shipments, turns);
        } else {
            self.send(stamp, shipments, turns);
        }
        shared.metrics.scrape_duration.observe(shared.clock.now().duration_since(start).as_secs_f64());
    }

    /// Does something, and takes note of answers meanwhile.
    async fn settle_during<T>(&mut self, work: impl Future<Output = T>) -> T {
        let mut work = std::pin::pin!(work);
        loop {
            tokio::select! {
                done = &mut work => return done,
                Some(shipped) = self.under_way.next() => self.settle(shipped),
            }
        }
    }

    /// Ends the series of a target that left discovery, at the time of the scrape that does not take place any more.
    fn end(&mut self, order: &Order, schedule: Schedule, tick_ms: i64) {
        let timestamp_ms = tick_ms.max(self.newest_ms.map_or(tick_ms, |newest| newest + 1));
        let stamp = Stamp { tick_ms, timestamp_ms, wall_ms: self.shared.clock.wall_ms() };
        let header = self.header(order, schedule, stamp);
        self.send(stamp, Shipment::final_records(&header, self.pages.part_count()), Turns::Together);
        // Should it be discovered again, its series begin anew.
        self.pages = Pages::default();
    }

    fn header(&self, order: &Order, schedule: Schedule, stamp: Stamp) -> Header {
        Header {
            tenant: self.shared.tenant.clone(),
            target: order.settings.target.id,
            owner_epoch: order.owner_epoch,
            interval_ms: schedule.interval_ms(),
            stamp,
        }
    }

    fn send(&mut self, stamp: Stamp, shipments: Vec<Shipment>, turns: Turns) {
        self.newest_ms = self.newest_ms.max(Some(stamp.timestamp_ms));
        self.under_way.push(ship(self.shared.sink.clone(), shipments, turns));
    }

    /// Sends something at a later time.
    fn send_at(&mut self, time: Instant, stamp: Stamp, shipments: Vec<Shipment>, turns: Turns) {
        self.newest_ms = self.newest_ms.max(Some(stamp.timestamp_ms));
        let (clock, sink) = (self.shared.clock.clone(), self.shared.sink.clone());
        let later = async move {
            clock.sleep_until(time).await;
            ship(sink, shipments, turns).await
        };
        self.under_way.push(later.boxed());
    }

    /// Takes note of what became of a scrape.
    fn settle(&mut self, shipped: Vec<Shipped>) {
        for shipped in shipped {
            self.pages.settle(shipped.part, &shipped.settled);
            // What was dropped is counted by whoever dropped it.
            let Ok(answer) = &shipped.delivery else { continue };
            self.shared.count_answer(answer);
            let outcome = match answer.outcome() {
                Outcome::Stored => "stored",
                Outcome::Duplicate => "duplicate",
                _ => continue,
            };
            if let (Some(journal), Some(settings)) = (&self.shared.journal, &self.read_by) {
                journal.note(&settings.target, &shipped, outcome);
            }
        }
    }

    fn report(&self, counts: &Counts, error: Option<&ScrapeError>, wall_ms: i64, duration: Duration) {
        let mut status = self.status.lock();
        status.health = if error.is_some() { Health::Down } else { Health::Up };
        status.last_error = error.map_or_else(String::new, ToString::to_string);
        status.last_scrape_ms = Some(wall_ms);
        status.last_duration = duration;
        status.families = self.pages.families().clone();
        drop(status);
        let metrics = &self.shared.metrics;
        metrics.duplicate_timestamp.inc_by(counts.duplicates.into());
        metrics.out_of_bounds.inc_by(counts.out_of_bounds.into());
        match error {
            Some(ScrapeError::BodySize) => metrics.exceeded_body_size_limit.inc(),
            Some(ScrapeError::Page(PageError::SampleLimit)) => metrics.exceeded_sample_limit.inc(),
            Some(ScrapeError::Page(PageError::BucketLimit)) => metrics.exceeded_bucket_limit.inc(),
            Some(ScrapeError::Page(PageError::LabelLimit(_))) => metrics.exceeded_label_limits.inc(),
            _ => return,
        };
    }
}

impl Shared {
    /// Makes rows of what was fetched. Work for the processor.
    fn read(&self, mut pages: Pages, settings: &Settings, fetched: Fetched, stamp: Stamp, start: Instant) -> Outcomes {
        let Settings { job, target, .. } = settings;
        let taken = self.tools.lock().pop();
        let mut tools = taken.unwrap_or_else(|| Tools::new(self.seed));
        let mut duration = Duration::ZERO;
        let mut report = |counts, body_size, health| {
            duration = self.clock.now().duration_since(start);
            Report {
                health,
                duration_seconds: duration.as_secs_f64(),
                counts,
                timeout_seconds: target.timeout.as_secs_f64(),
                sample_limit: job.limits.samples,
                body_size,
            }
        };
        let body = fetched.and_then(|response| decode(&response, job));
        let (rows, counts, error) = match body {
            Ok((body, Ok(format))) => {
                let size = body.len() as i64;
                let page = Page { body: &body, format, job, target };
                let (rows, counts, result) =
                    pages.rows(page, stamp, &mut tools, |counts, health| report(counts, size, health));
                (rows, counts, result.err().map(ScrapeError::from))
            }
            Ok((body, Err(error))) => {
                let report = report(Counts::default(), body.len() as i64, Health::Down);
                (pages.empty_rows(job, target, &report, &mut tools), Counts::default(), Some(error.into()))
            }
            Err(error) => {
                let size = if matches!(error, ScrapeError::BodySize) { -1 } else { 0 };
                let report = report(Counts::default(), size, Health::Down);
                (pages.empty_rows(job, target, &report, &mut tools), Counts::default(), Some(error))
            }
        };
        self.tools.lock().push(tools);
        self.metrics.count_page(if error.is_some() { "failed" } else { pages.last_way() });
        self.metrics.samples.inc_by(rows.iter().map(|row| u64::from(row.samples)).sum());
        Outcomes { pages, rows, counts, error, duration }
    }

    fn count_answer(&self, answer: &RecordAnswer) {
        let metrics = &self.metrics;
        metrics.out_of_order.inc_by(answer.out_of_order.into());
        metrics.duplicate_timestamp.inc_by(answer.duplicate_timestamp.into());
        metrics.out_of_bounds.inc_by(answer.too_old.into());
        metrics.refused_series.inc_by(answer.refused_series.into());
        if answer.outcome() == Outcome::Malformed {
            tracing::error!(reason = answer.reason, "a shard refused a row as malformed");
        }
    }
}
