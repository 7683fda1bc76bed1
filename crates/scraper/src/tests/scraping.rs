//! Scrapers with real pages, a shard and a metadata group of their own.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use discovery::{Discovered, TargetGroup};
use http_client::HttpClient;
use model::{Labels, TenantId};
use proto::entry::{Outcome, ScrapeKind};
use stdx::{Clock, CpuPool, Rng, Tasks, TimeSource};
use telemetry::Registry;
use tokio::sync::watch;
use tokio::time::Instant;

use super::server::{Answer, Server};
use super::{FakeCluster, FakeShard};
use crate::job::Job;
use crate::scraper::{Config, Environment, Scraper};
use crate::status::{ActiveTarget, Health};

/// Milliseconds since the Unix epoch when a test begins.
const START_MS: i64 = 1_700_000_000_000;

/// A wall clock that goes with tokio's time, so that it can be virtual.
struct TokioTime(Instant);

impl TimeSource for TokioTime {
    fn wall_ms(&self) -> i64 {
        START_MS + self.0.elapsed().as_millis() as i64
    }
}

fn clock() -> Clock {
    Clock::new(TokioTime(Clock::system().now()))
}

/// What several scrapers share.
struct World {
    clock: Clock,
    cluster: Arc<FakeCluster>,
    shard: Arc<FakeShard>,
    server: Server,
    tasks: Tasks,
    folder: tempfile::TempDir,
}

/// One scraper.
struct Node {
    scraper: Scraper,
    registry: Registry,
    groups: watch::Sender<Discovered>,
    tasks: Tasks,
}

impl World {
    async fn new(page: &str) -> Self {
        let (clock, tasks) = (clock(), Tasks::new());
        Self {
            cluster: Arc::new(FakeCluster::new(clock.clone())),
            clock,
            shard: Arc::new(FakeShard::new()),
            server: Server::start(Answer::page(page.to_owned()), &tasks).await,
            tasks,
            folder: tempfile::tempdir().unwrap(),
        }
    }

    /// A scraper of some jobs with these targets.
    fn scraper(&self, name: &str, jobs: Vec<Job>, groups: Vec<TargetGroup>) -> Node {
        let registry = Registry::new();
        let tasks = self.tasks.child();
        let config = Config {
            name: name.to_owned(),
            incarnation: 1,
            address: format!("{name}:80"),
            tenant: TenantId::default(),
            version: "1.2.3".to_owned(),
            journal: Some(self.folder.path().join(name)),
        };
        let environment = Environment {
            cluster: self.cluster.clone(),
            sink: self.shard.clone(),
            make_client: Arc::new(HttpClient::new),
            clock: self.clock.clone(),
            rng: Rng::from_seed(5),
            cpu: CpuPool::inline(),
            registry: registry.clone(),
            tasks: tasks.clone(),
        };
        let scraper = Scraper::new(config, environment).unwrap();
        let groups = watch::Sender::new(shared(groups));
        let node = Node { scraper, registry, groups, tasks };
        node.apply(jobs);
        node
    }

    fn group(&self) -> TargetGroup {
        TargetGroup::new("test", [self.server.address.as_str()], Labels::empty())
    }

    /// Waits until something is so.
    async fn until(&self, what: &str, mut is_so: impl FnMut() -> bool) {
        for _ in 0..2_000 {
            if is_so() {
                return;
            }
            self.clock.sleep(Duration::from_millis(10)).await;
        }
        panic!("it never came to be that {what}");
    }

    fn newest(&self, name: &str, job: &str) -> Option<f64> {
        self.shard.newest(&format!("{name}{{instance=\"{}\", job=\"{job}\"}}", self.server.address))
    }
}

fn shared(groups: Vec<TargetGroup>) -> Discovered {
    Discovered { groups: groups.into_iter().map(Arc::new).collect(), is_complete: true }
}

fn job(name: &str, interval_ms: u64) -> Job {
    let interval = Duration::from_millis(interval_ms);
    Job { interval, timeout: interval / 2, ..Job::new(name) }
}

impl Node {
    fn apply(&self, jobs: Vec<Job>) {
        self.scraper.apply(jobs.into_iter().map(|job| (job, self.groups.subscribe())).collect()).unwrap();
    }

    fn active(&self) -> Vec<ActiveTarget> {
        self.scraper.targets().into_iter().flat_map(|pool| pool.active).collect()
    }

    fn only(&self) -> ActiveTarget {
        self.active().into_iter().next().unwrap()
    }

    fn metric(&self, name: &str) -> f64 {
        let text = self.registry.encode().unwrap();
        let lines = text.lines().filter(|line| line.starts_with(&format!("ringwood_{name}")));
        lines.map(|line| line.rsplit(' ').next().unwrap().parse::<f64>().unwrap()).sum()
    }
}

#[tokio::test]
async fn a_page_reaches_its_shard() {
    let world = World::new("a 1\n").await;
    let node = world.scraper("one", vec![job("j", 200)], vec![world.group()]);
    world.until("the page is stored", || world.newest("a", "j") == Some(1.0)).await;
    world.server.set(Answer::page("a 2\n"));
    world.until("the next one is, too", || world.newest("a", "j") == Some(2.0)).await;
    assert_eq!(world.newest("up", "j"), Some(1.0));
    let target = node.only();
    assert_eq!((target.is_owned, target.status.health, target.status.last_error.as_str()), (true, Health::Up, ""));
    assert_eq!(target.target.url, format!("http://{}/metrics", world.server.address));
    let asked = &world.server.asked()[0];
    let header = |name: &str| asked.headers().get(name).map(|value| value.to_str().unwrap());
    assert_eq!((asked.method().as_str(), asked.uri().path()), ("GET", "/metrics"));
    assert!(
        header("accept").unwrap().starts_with("application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6")
    );
    assert_eq!(header("accept-encoding"), Some("gzip"));
    assert_eq!(header("user-agent"), Some("Ringwood/1.2.3"));
    assert_eq!(header("x-prometheus-scrape-timeout-seconds"), Some("0.1"));
    // The first page is parsed, the others are skimmed; all have planned times, an interval apart.
    let log = world.shard.take_log();
    assert!(log.iter().all(|(scrape, outcome)| *outcome == Outcome::Stored && scrape.interval_ms == 200));
    let phase = target.target.id.0 % 200;
    assert!(log.iter().all(|(scrape, _)| scrape.tick_ms as u128 % 200 == phase));
    assert!(log.windows(2).all(|pair| pair[0].0.tick_ms < pair[1].0.tick_ms));
    let journal = std::fs::read_to_string(world.folder.path().join("one")).unwrap();
    assert!(journal.lines().count() >= log.len());
    let first = &log[0].0;
    let line = format!(
        "{{\"target\":\"{}\",\"labels\":{{\"instance\":\"{}\",\"job\":\"j\"}},\"part\":0,\"tick_ms\":{},\"timestamp_ms\":{},\
         \"samples\":6,\"outcome\":\"stored\"}}",
        target.target.id, world.server.address, first.tick_ms, first.timestamp_ms
    );
    assert_eq!(journal.lines().next(), Some(line.as_str()));
    assert!(node.metric("scraper_samples_total") >= 12.0);
    node.scraper.drain(Duration::from_secs(5)).await;
    assert!(world.cluster.members().is_empty());
    assert_eq!(world.newest("a", "j"), Some(2.0), "handing over ends nothing");
}

#[tokio::test]
async fn failures_are_told_in_the_known_words() {
    let world = World::new("a 1\n").await;
    let mut limited = job("j", 200);
    limited.limits.body_size = 1_000;
    limited.extra_scrape_metrics = true;
    let node = world.scraper("one", vec![limited], vec![world.group()]);
    world.until("the page is stored", || world.newest("a", "j") == Some(1.0)).await;
    let gzip = |plain: &[u8]| {
        use std::io::Write;
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
        encoder.write_all(plain).unwrap();
        encoder.finish().unwrap()
    };
    let compressed = |plain: &str| {
        let mut answer = Answer::page(gzip(plain.as_bytes()));
        answer.headers.push(("content-encoding", "gzip".to_owned()));
        answer
    };
    let typed = |content_type: &str| Answer {
        headers: vec![("content-type", content_type.to_owned())],
        ..Answer::page("a 1\n")
    };
    let long = format!("a{{b=\"{}\"}} 1\n", "x".repeat(2_000));
    for (answer, error, size) in [
        (Answer { status: 404, ..Answer::page("") }, "server returned HTTP status 404 Not Found", 0.0),
        (Answer::page(long.clone()), "body size limit exceeded", -1.0),
        (compressed(&long), "body size limit exceeded", -1.0),
        (Answer::page("a 1\nb"), "expected value after metric, got \"\\n\" (\"INVALID\") while parsing: \"b\"", 5.0),
        (
            typed("text/html"),
            "received unsupported Content-Type \"text/html\" and no fallback_scrape_protocol specified for target",
            4.0,
        ),
        (Answer { is_silent: true, ..Answer::page("") }, "context deadline exceeded", 0.0),
    ] {
        world.server.set(compressed("a 1\n"));
        world
            .until("it is up", || node.only().status.health == Health::Up && world.newest("up", "j") == Some(1.0))
            .await;
        world.server.set(answer);
        world.until("it is down", || world.newest("up", "j") == Some(0.0)).await;
        let told = node.only().status.last_error;
        assert!(
            told.contains(error) || error.starts_with("expected value") && told.starts_with("expected value"),
            "{told}"
        );
        assert_eq!(world.newest("a", "j"), None);
        assert_eq!(world.newest("scrape_body_size_bytes", "j"), Some(size), "{error}");
    }
    assert_eq!(node.metric("target_scrapes_exceeded_body_size_limit_total"), 2.0);
    node.tasks.stop();
}

#[tokio::test]
async fn targets_that_leave_discovery_end() {
    let world = World::new("a 1\n").await;
    let node = world.scraper("one", vec![job("j", 100)], vec![world.group()]);
    world.until("the page is stored", || world.newest("a", "j") == Some(1.0)).await;
    node.groups.send_replace(shared(vec![]));
    world.until("all its series end", || world.newest("a", "j").is_none() && world.newest("up", "j").is_none()).await;
    let (last, outcome) = world.shard.take_log().pop().unwrap();
    assert_eq!((last.kind(), outcome, last.owner_epoch), (ScrapeKind::Final, Outcome::Stored, 1));
    assert!(node.active().is_empty());
    node.groups.send_replace(shared(vec![world.group()]));
    world.until("it is back", || world.newest("a", "j") == Some(1.0)).await;
    // Leaving and coming back at once is no leaving.
    let before = world.server.asked().len();
    node.groups.send_replace(shared(vec![]));
    tokio::task::yield_now().await;
    node.groups.send_replace(shared(vec![world.group()]));
    world.until("it is scraped", || world.server.asked().len() > before + 2).await;
    assert!(world.shard.take_log().iter().all(|(scrape, _)| scrape.kind() == ScrapeKind::Row));
    // So does a job that is gone.
    node.apply(vec![job("other", 100)]);
    world.until("the other job's are there", || world.newest("a", "other") == Some(1.0)).await;
    world.until("its own series end", || world.newest("a", "j").is_none()).await;
    assert_eq!(node.scraper.targets().len(), 1);
    node.tasks.stop();
}

#[tokio::test]
async fn a_reload_keeps_what_is_known_of_targets() {
    let world = World::new("a 1\nb 1\n").await;
    let node = world.scraper("one", vec![job("j", 100)], vec![world.group()]);
    world.until("the page is stored", || world.newest("a", "j") == Some(1.0)).await;
    let first = node.only();
    world.shard.take_log();
    node.apply(vec![job("j", 100)]);
    world.until("it is scraped again", || !world.shard.take_log().is_empty()).await;
    assert!(Arc::ptr_eq(&first.target, &node.only().target));
    let mut relabelled = job("j", 150);
    relabelled.metric_relabel_rules = vec![drop_rule("b")];
    node.apply(vec![relabelled]);
    world.until("the rule counts", || world.newest("b", "j").is_none()).await;
    assert_eq!(world.newest("a", "j"), Some(1.0));
    let log = world.shard.take_log();
    assert!(log.iter().all(|(scrape, outcome)| scrape.definition.is_none() && *outcome == Outcome::Stored));
    assert_eq!(log.last().unwrap().0.interval_ms, 150);
    node.tasks.stop();
}

fn drop_rule(metric: &str) -> relabel::Rule {
    let config = relabel::RuleConfig {
        source_labels: Some(vec!["__name__".to_owned()]),
        regex: Some(metric.to_owned()),
        action: Some(relabel::Action::Drop),
        ..relabel::RuleConfig::default()
    };
    relabel::Rule::new(config, model::NameScheme::Utf8).unwrap()
}

#[tokio::test]
async fn too_many_targets_are_none() {
    let world = World::new("a 1\n").await;
    let mut limited = job("j", 100);
    limited.limits.targets = 1;
    limited.keep_dropped_targets = 1;
    limited.relabel_rules = vec![
        relabel::Rule::new(
            relabel::RuleConfig {
                source_labels: Some(vec!["__address__".to_owned()]),
                regex: Some("drop.*".to_owned()),
                action: Some(relabel::Action::Drop),
                ..relabel::RuleConfig::default()
            },
            model::NameScheme::Utf8,
        )
        .unwrap(),
    ];
    let addresses = [world.server.address.as_str(), "127.0.0.1:1", "drop:1", "drop:2", "http://bad"];
    let node = world.scraper("one", vec![limited], vec![TargetGroup::new("test", addresses, Labels::empty())]);
    world
        .until("they are down", || {
            node.active().iter().filter(|target| target.status.health == Health::Down).count() == 2
        })
        .await;
    let expected = "target_limit exceeded (number of targets: 2, limit: 1)";
    assert!(node.active().iter().all(|target| target.status.last_error == expected));
    assert!(world.server.asked().is_empty());
    let pool = &node.scraper.targets()[0];
    assert_eq!((pool.dropped.len(), pool.dropped_count), (1, 2));
    assert_eq!(node.metric("target_sync_failed_total"), 1.0);
    assert_eq!(node.metric("target_scrape_pool_targets"), 2.0);
    node.tasks.stop();
}

/// Several targets behind one server: labels make them different.
fn many(world: &World, count: usize) -> TargetGroup {
    let label_sets = (0..count)
        .map(|at| Labels::from_pairs([("__address__", world.server.address.as_str()), ("n", at.to_string().as_str())]));
    TargetGroup { source: "many".to_owned(), targets: label_sets.collect(), labels: Labels::empty() }
}

fn owned(node: &Node) -> usize {
    node.active().iter().filter(|target| target.is_owned).count()
}

#[tokio::test]
async fn scrapers_share_targets_and_take_them_over() {
    let world = World::new("a 1\n").await;
    let first = world.scraper("one", vec![job("j", 100)], vec![many(&world, 20)]);
    world.until("the first has all", || owned(&first) == 20).await;
    let second = world.scraper("two", vec![job("j", 100)], vec![many(&world, 20)]);
    world.until("they share", || owned(&first) + owned(&second) == 20 && owned(&second) > 0).await;
    world
        .until("the second scrapes", || world.shard.take_log().iter().any(|(scrape, _)| scrape.owner_epoch == 2))
        .await;
    second.scraper.drain(Duration::from_secs(5)).await;
    world.until("the first has all again", || owned(&first) == 20).await;
    world
        .until("and scrapes them", || {
            let log = world.shard.take_log();
            log.iter().any(|(scrape, outcome)| scrape.owner_epoch == 3 && *outcome == Outcome::Stored)
        })
        .await;
    // Nobody has ended anything on the way.
    let all = world.shard.read();
    assert!(all.values().flatten().all(|sample| sample.1.is_some()));
    assert_eq!(all.keys().filter(|labels| labels.starts_with("up{")).count(), 20);
    first.tasks.stop();
}

#[tokio::test]
async fn a_newcomer_lets_the_former_owner_speak_first() {
    let world = World::new("a 1\n").await;
    let addresses: Vec<String> = (1..9).map(|port| format!("127.0.0.1:{port}")).collect();
    let away = TargetGroup::new("away", addresses.iter().map(String::as_str), Labels::empty());
    world.cluster.join("other", 1);
    let node = world.scraper("one", vec![job("j", 500)], vec![away]);
    world.until("it has tried", || node.metric("scraper_withheld_failures_total") > 0.0).await;
    assert!(world.shard.take_log().is_empty());
    world.until("it tells them in the end", || !world.shard.take_log().is_empty()).await;
    node.tasks.stop();
}

#[tokio::test]
async fn without_a_lease_or_by_a_wrong_clock_nothing_is_scraped() {
    let world = World::new("a 1\n").await;
    let node = world.scraper("one", vec![job("j", 50)], vec![world.group()]);
    world.until("it scrapes", || world.newest("a", "j") == Some(1.0)).await;
    world.cluster.mood.lock().is_silent = true;
    world.until("the lease has run out", || owned(&node) == 0).await;
    let quiet = || async {
        world.clock.sleep(Duration::from_millis(100)).await;
        let before = world.server.asked().len();
        world.clock.sleep(Duration::from_millis(300)).await;
        world.server.asked().len() == before
    };
    assert!(quiet().await);
    world.cluster.mood.lock().is_silent = false;
    world.until("it is back", || owned(&node) == 1).await;
    world.cluster.mood.lock().skew_ms = 40_000;
    world.until("it gives up", || owned(&node) == 0).await;
    assert!(quiet().await);
    assert_eq!(node.metric("scraper_clock_skew_seconds").round(), 40.0);
    world.cluster.mood.lock().skew_ms = 5_000;
    world.until("it is back again", || owned(&node) == 1).await;
    assert_eq!(world.newest("a", "j"), Some(1.0), "nothing has ended");
    node.tasks.stop();
}

/// The planned times of what was stored of each target.
fn ticks(world: &World) -> BTreeMap<Vec<u8>, BTreeSet<i64>> {
    let mut ticks: BTreeMap<_, BTreeSet<i64>> = BTreeMap::new();
    for (scrape, _) in world.shard.take_log().iter().filter(|(_, outcome)| *outcome == Outcome::Stored) {
        assert_eq!(scrape.kind(), ScrapeKind::Row);
        ticks.entry(scrape.target_id.to_vec()).or_default().insert(scrape.tick_ms);
    }
    ticks
}

/// Waits until that many targets were scraped, and begins the log anew.
async fn until_scraped(world: &World, targets: usize) {
    let count = || world.shard.read().keys().filter(|labels| labels.starts_with("up{")).count();
    world.until("all are scraped", || count() == targets).await;
    world.shard.take_log();
}

/// Waits until each of these targets was scraped for a while, and checks that none of its ticks is missing.
async fn nothing_is_missed(world: &World, targets: usize, interval_ms: i64) {
    world.clock.sleep(Duration::from_millis(1_500)).await;
    let ticks = ticks(world);
    assert_eq!(ticks.len(), targets);
    for (target, ticks) in ticks {
        let times: Vec<i64> = ticks.into_iter().collect();
        assert!(times.windows(2).all(|pair| pair[1] - pair[0] == interval_ms), "{target:?}: {times:?}");
    }
}

#[tokio::test]
async fn no_tick_is_missed_when_scrapers_come_and_leave() {
    let world = World::new("a 1\n").await;
    let first = world.scraper("one", vec![job("j", 100)], vec![many(&world, 20)]);
    until_scraped(&world, 20).await;
    let second = world.scraper("two", vec![job("j", 100)], vec![many(&world, 20)]);
    world.until("they share", || owned(&second) > 0).await;
    nothing_is_missed(&world, 20, 100).await;
    // The log is not looked at from before the leave until after it.
    let began = world.clock.now();
    first.scraper.drain(Duration::from_secs(20)).await;
    assert!(world.clock.now() - began < Duration::from_secs(5), "it was heard that the other has them");
    nothing_is_missed(&world, 20, 100).await;
    assert_eq!((owned(&second), world.cluster.members()), (20, vec!["two".to_owned()]));
    let began = world.clock.now();
    second.scraper.drain(Duration::from_secs(20)).await;
    assert!(world.clock.now() - began < Duration::from_secs(2), "there is nobody to wait for");
}

#[tokio::test]
async fn nobody_stops_for_a_newcomer_that_has_not_found_its_targets() {
    let world = World::new("a 1\n").await;
    let first = world.scraper("one", vec![job("j", 100)], vec![many(&world, 20)]);
    until_scraped(&world, 20).await;
    let second = world.scraper("two", vec![], vec![]);
    second.groups.send_replace(Discovered::default());
    second.apply(vec![job("j", 100)]);
    world.until("they share", || owned(&first) < 20).await;
    nothing_is_missed(&world, 20, 100).await;
    world.clock.sleep(Duration::from_millis(2_500)).await;
    nothing_is_missed(&world, 20, 100).await;
    second.groups.send_replace(shared(vec![many(&world, 20)]));
    world.until("both scrape", || owned(&first) + owned(&second) == 20).await;
    nothing_is_missed(&world, 20, 100).await;
    let before = first.metric("scraper_samples_total");
    world.clock.sleep(Duration::from_secs(1)).await;
    let of_first = first.metric("scraper_samples_total") - before;
    assert!(of_first < 7.0 * 20.0 * 10.0, "it has stopped what is not its own: {of_first}");
    second.tasks.stop();
    first.tasks.stop();
}

#[tokio::test]
async fn where_meta_can_not_say_who_has_begun_owners_change_after_a_while() {
    let world = World::new("a 1\n").await;
    world.cluster.be_old();
    let first = world.scraper("one", vec![job("j", 100)], vec![many(&world, 20)]);
    until_scraped(&world, 20).await;
    let second = world.scraper("two", vec![job("j", 100)], vec![many(&world, 20)]);
    world.until("they share", || owned(&second) > 0).await;
    nothing_is_missed(&world, 20, 100).await;
    first.scraper.drain(Duration::from_secs(20)).await;
    nothing_is_missed(&world, 20, 100).await;
    assert_eq!(owned(&second), 20);
    second.tasks.stop();
}
