use exposition::Options;
use model::{NameScheme, TargetId, TenantId};
use proptest::prelude::*;
use proto::entry::{Outcome, Scrape};
use relabel::{Action, Rule, RuleConfig};

use super::*;
use crate::job::Limits;
use crate::shipment::{Header, Shipment, Turns, ship};
use crate::tests::{FakeShard, Samples};

const INTERVAL_MS: i64 = 15_000;

/// One target whose pages go to a shard.
struct Bench {
    job: Job,
    target: Target,
    format: Format,
    pages: Pages,
    tools: Tools,
    shard: Arc<FakeShard>,
    tick: i64,
}

/// What came of one scrape.
#[derive(Debug)]
struct Scraped {
    counts: Counts,
    error: Option<String>,
    records: Vec<(Scrape, Outcome)>,
    way: &'static str,
}

impl Bench {
    fn new(job: Job) -> Self {
        let target = Target {
            id: TargetId(7),
            labels: Labels::from_pairs([("job", "j"), ("instance", "i")]),
            discovered: Labels::empty(),
            url: "http://i/metrics".to_owned(),
            unix_socket: None,
            interval: std::time::Duration::from_secs(15),
            timeout: std::time::Duration::from_secs(10),
            options: Options { start_timestamps: true, ignore_native_histograms: true, ..Options::default() },
        };
        let shard = Arc::new(FakeShard::new());
        Self {
            job,
            target,
            format: Format::Text,
            pages: Pages::default(),
            tools: Tools::new(1),
            shard,
            tick: 1_000_000_000,
        }
    }

    fn report(&self, counts: Counts, health: Health) -> Report {
        Report { health, duration_seconds: 0.5, counts, timeout_seconds: 10.0, sample_limit: 0, body_size: 9 }
    }

    async fn scrape(&mut self, body: &str) -> Scraped {
        self.scrape_bytes(body.as_bytes()).await
    }

    async fn scrape_bytes(&mut self, body: &[u8]) -> Scraped {
        self.tick += INTERVAL_MS;
        let stamp = Stamp { tick_ms: self.tick, timestamp_ms: self.tick, wall_ms: self.tick };
        let (job, target) = (self.job.clone(), self.target.clone());
        let page = Page { body, format: self.format, job: &job, target: &target };
        let report = self.report(Counts::default(), Health::Up);
        let (rows, counts, result) =
            self.pages.rows(page, stamp, &mut self.tools, |counts, health| Report { counts, health, ..report });
        self.send(stamp, rows).await;
        let (error, records) = (result.err().map(|error| error.to_string()), self.shard.take_log());
        Scraped { counts, error, records, way: self.pages.last_way() }
    }

    async fn fail(&mut self) -> Scraped {
        self.tick += INTERVAL_MS;
        let stamp = Stamp { tick_ms: self.tick, timestamp_ms: self.tick, wall_ms: self.tick };
        let report = self.report(Counts::default(), Health::Down);
        let rows = self.pages.empty_rows(&self.job, &self.target, &report, &mut self.tools);
        self.send(stamp, rows).await;
        Scraped { counts: Counts::default(), error: None, records: self.shard.take_log(), way: "" }
    }

    async fn send(&mut self, stamp: Stamp, rows: Vec<PartRow>) {
        let header = Header {
            tenant: TenantId::default(),
            target: self.target.id,
            owner_epoch: 1,
            interval_ms: INTERVAL_MS,
            stamp,
        };
        let turns = if self.pages.are_told(stamp.tick_ms) { Turns::Together } else { Turns::AfterParents };
        for shipped in ship(self.shard.clone(), Shipment::rows(&header, rows), turns).await {
            self.pages.settle(shipped.part, &shipped.settled);
        }
    }

    /// The newest value of a series of the target.
    fn value(&self, series: &str) -> Option<f64> {
        let (name, labels) =
            series.split_once('{').map_or((series, ""), |(name, rest)| (name, rest.trim_end_matches('}')));
        let mut pairs: Vec<String> = vec!["instance=\"i\"".to_owned(), "job=\"j\"".to_owned()];
        pairs.extend(labels.split(',').filter(|pair| !pair.is_empty()).map(str::to_owned));
        pairs.sort();
        self.shard.newest(&format!("{name}{{{}}}", pairs.join(", ")))
    }

    /// The labels of everything that was ever stored, but for reports.
    fn series(&self) -> Vec<String> {
        let reports = ["up{", "scrape_"];
        self.shard
            .read()
            .into_keys()
            .filter(|labels| !reports.iter().any(|report| labels.starts_with(report)))
            .collect()
    }
}

#[tokio::test]
async fn labels_may_tell_type_and_unit() {
    let mut bench = Bench::new(Job { type_and_unit_labels: true, ..Job::new("j") });
    bench.format = Format::OpenMetrics;
    // A unit counts until the next one.
    let page = "# TYPE b histogram\nb_bucket{le=\"+Inf\"} 1\nb_count 1\n# TYPE c unknown\nc{__type__=\"y\"} 1\n\
        # TYPE d_s counter\n# UNIT d_s s\nd_s_total{__type__=\"x\"} 1\n# EOF\n";
    assert_eq!(bench.scrape(page).await.error, None);
    assert_eq!(
        bench.series(),
        [
            "b_bucket{__type__=\"histogram\", instance=\"i\", job=\"j\", le=\"+Inf\"}",
            "b_count{__type__=\"histogram\", instance=\"i\", job=\"j\"}",
            "c{__type__=\"y\", instance=\"i\", job=\"j\"}",
            "d_s_total{__type__=\"counter\", __unit__=\"s\", instance=\"i\", job=\"j\"}",
        ]
    );
    assert_eq!(bench.value("up"), Some(1.0), "what a scrape says about itself has no such labels");
    assert_eq!(bench.scrape(&page.replace("} 1", "} 2")).await.way, "skimmed");
}

#[tokio::test]
async fn a_page_becomes_a_row_and_later_ones_are_skimmed() {
    let mut bench = Bench::new(Job::new("j"));
    let first = bench.scrape("# TYPE a counter\n# HELP a An a.\na{b=\"1\"} 1\na{b=\"2\"} 2\n").await;
    assert_eq!(first.way, "parsed");
    assert_eq!(first.counts, Counts { scraped: 2, post_relabel: 2, added: 2, ..Counts::default() });
    let (record, outcome) = &first.records[0];
    assert_eq!((outcome, record.definition.is_some(), record.parts), (&Outcome::Stored, true, 1));
    assert_eq!((record.tick_ms, record.timestamp_ms, record.interval_ms), (bench.tick, bench.tick, INTERVAL_MS));
    assert_eq!([bench.value("a{b=\"1\"}"), bench.value("a{b=\"2\"}")], [Some(1.0), Some(2.0)]);
    assert_eq!([bench.value("up"), bench.value("scrape_series_added")], [Some(1.0), Some(2.0)]);
    assert_eq!(bench.value("scrape_duration_seconds"), Some(0.5));
    assert_eq!(bench.shard.metadata(), ["a counter An a. "]);

    let second = bench.scrape("# TYPE a counter\n# HELP a An a.\na{b=\"1\"} 10\na{b=\"2\"} 20\n").await;
    assert_eq!(second.way, "skimmed");
    let (record, outcome) = &second.records[0];
    assert_eq!((outcome, &record.definition, &record.delta), (&Outcome::Stored, &None, &None));
    assert_ne!(record.reference, 0);
    assert_eq!([bench.value("a{b=\"1\"}"), bench.value("a{b=\"2\"}")], [Some(10.0), Some(20.0)]);
    assert_eq!([bench.value("scrape_series_added"), bench.value("scrape_samples_scraped")], [Some(0.0), Some(2.0)]);
}

#[tokio::test]
async fn a_series_that_comes_or_goes_costs_a_delta_or_less() {
    let mut bench = Bench::new(Job::new("j"));
    let page = |names: &[&str]| names.iter().map(|name| format!("{name} 1\n")).collect::<String>();
    bench.scrape(&page(&["a", "b", "c", "d"])).await;
    let gone = bench.scrape(&page(&["a", "b", "c"])).await;
    assert_eq!((&gone.records[0].0.definition, &gone.records[0].0.delta), (&None, &None));
    assert_eq!((bench.value("d"), gone.counts.added), (None, 0));
    let back = bench.scrape(&page(&["a", "d", "b", "c"])).await;
    assert_eq!((&back.records[0].0.definition, &back.records[0].0.delta), (&None, &None));
    assert_eq!((bench.value("d"), back.counts.added), (Some(1.0), 1));
    let new = bench.scrape(&page(&["e", "a", "d", "c"])).await;
    let delta = new.records[0].0.delta.as_ref().unwrap();
    assert_eq!((delta.removed_slots.len(), delta.appended.as_ref().unwrap().series_count), (1, 1));
    assert_eq!((new.records[0].1, new.counts.added), (Outcome::Stored, 1));
    assert_eq!(
        ["a", "b", "c", "d", "e"].map(|name| bench.value(name)),
        [Some(1.0), None, Some(1.0), Some(1.0), Some(1.0)]
    );
    // Others altogether.
    let other = bench.scrape(&page(&["v", "w", "x", "y", "z", "r", "s", "t", "u"])).await;
    assert!(other.records[0].0.definition.is_some());
    assert_eq!(["a", "v"].map(|name| bench.value(name)), [None, Some(1.0)]);
}

#[tokio::test]
async fn failures_end_what_was_on_the_page_but_not_the_report() {
    let mut bench = Bench::new(Job::new("j"));
    let failed = bench.fail().await;
    assert_eq!((failed.records[0].1, bench.value("up")), (Outcome::Stored, Some(0.0)));
    bench.scrape("a 1\n").await;
    assert_eq!((bench.value("a"), bench.value("up")), (Some(1.0), Some(1.0)));
    bench.fail().await;
    assert_eq!((bench.value("a"), bench.value("up")), (None, Some(0.0)));
    let back = bench.scrape("a 2\n").await;
    assert_eq!((back.way, bench.value("a"), back.counts.added), ("skimmed", Some(2.0), 0));
    let empty = bench.scrape("").await;
    assert_eq!((empty.error, bench.value("a"), bench.value("up")), (None, None, Some(1.0)));
    let broken = bench.scrape("a 3\nb{ 4\n").await;
    assert!(broken.error.unwrap().starts_with("expected label name"), "as Prometheus says it");
    assert_eq!((bench.value("a"), bench.value("up")), (None, Some(0.0)));
    assert_eq!(bench.value("scrape_samples_scraped"), Some(1.0));
}

#[tokio::test]
async fn what_the_shard_does_not_know_is_said_again() {
    let mut bench = Bench::new(Job::new("j"));
    for _ in 0..3 {
        bench.scrape("a 1\nb 2\n").await;
    }
    // It knows nothing any more, neither layout nor reference.
    bench.shard.forget();
    let again = bench.scrape("a 3\nb 4\n").await;
    let outcomes: Vec<_> = again.records.iter().map(|record| record.1).collect();
    assert_eq!(outcomes, [Outcome::UnknownLayout, Outcome::Stored]);
    assert_eq!([bench.value("a"), bench.value("b")], [Some(3.0), Some(4.0)]);
    let next = bench.scrape("a 5\nb 6\n").await;
    assert_eq!(next.records.iter().map(|record| record.1).collect::<Vec<_>>(), [Outcome::Stored]);
    assert!(next.records[0].0.definition.is_none());
    // After a delta, and with a reference that is lost alone.
    bench.scrape("a 5\nb 6\nc 7\n").await;
    bench.shard.forget();
    bench.scrape("a 6\nb 7\nc 8\n").await;
    assert_eq!(["a", "b", "c"].map(|name| bench.value(name)), [Some(6.0), Some(7.0), Some(8.0)]);
    bench.scrape("a 6\nb 7\nc 9\n").await;
    bench.shard.answer_next(&[Outcome::UnknownReference]);
    let leaning = bench.scrape("a 6\nb 7\nc 10\n").await;
    assert_eq!(leaning.records.iter().map(|(scrape, _)| scrape.reference != 0).collect::<Vec<_>>(), [true, false]);
    assert_eq!(bench.value("c"), Some(10.0));
    // What was dropped on its way changes nothing.
    bench.shard.answer_next(&[Outcome::TooNew]);
    bench.scrape("a 6\nb 7\nc 11\nd 1\n").await;
    bench.scrape("a 6\nb 7\nc 12\nd 2\n").await;
    assert_eq!(["c", "d"].map(|name| bench.value(name)), [Some(12.0), Some(2.0)]);
}

#[tokio::test]
async fn labels_of_page_and_target_meet_by_the_known_rules() {
    let mut bench = Bench::new(Job::new("j"));
    bench.target.labels = Labels::from_pairs([("n", "target"), ("exported_n", "theirs")]);
    bench.scrape("m{n=\"page\"} 1\nk{exported_n=\"a\",n=\"b\"} 2\n").await;
    assert_eq!(
        bench.series(),
        [
            r#"k{exported_exported_exported_n="a", exported_exported_n="b", exported_n="theirs", n="target"}"#,
            r#"m{exported_exported_n="page", exported_n="theirs", n="target"}"#,
        ]
    );
    let mut honored = Bench::new(Job { honor_labels: true, ..Job::new("j") });
    honored.scrape("m{instance=\"page\"} 1\nk{instance=\"\"} 2\nl 3\n").await;
    assert_eq!(honored.series(), [r#"k{job="j"}"#, r#"l{instance="i", job="j"}"#, r#"m{instance="page", job="j"}"#]);
}

fn rule(action: Action, source: &str, regex: &str) -> Rule {
    let config = RuleConfig {
        source_labels: Some(vec![source.to_owned()]).filter(|_| !source.is_empty()),
        regex: Some(regex.to_owned()),
        action: Some(action),
        ..RuleConfig::default()
    };
    Rule::new(config, NameScheme::Utf8).unwrap()
}

#[tokio::test]
async fn dropped_and_repeated_series_keep_the_numbers_of_the_others_in_place() {
    let job = Job { metric_relabel_rules: vec![rule(Action::Drop, "__name__", "drop_.*")], ..Job::new("j") };
    let mut bench = Bench::new(job);
    for round in 1..4 {
        let page = format!("drop_a 0\na {round}\na 77\nb {round}\ndrop_b 0\nc {round}\n");
        let scraped = bench.scrape(&page).await;
        assert_eq!((scraped.counts.scraped, scraped.counts.post_relabel, scraped.counts.duplicates), (6, 4, 1));
        assert_eq!(["a", "b", "c"].map(|name| bench.value(name)), [Some(f64::from(round)); 3]);
        assert_eq!(scraped.way, if round == 1 { "parsed" } else { "skimmed" });
    }
}

#[tokio::test]
async fn limits_fail_the_whole_scrape() {
    let limited = |limits| Bench::new(Job { limits, ..Job::new("j") });
    for (limits, page, message) in [
        (Limits { samples: 1, ..Limits::default() }, "a 1\nb 1\n", "sample limit exceeded"),
        (
            Limits { labels: 3, ..Limits::default() },
            "a{b=\"c\"} 1\n",
            "label_limit exceeded (metric: a, number of labels: 4, limit: 3)",
        ),
        (
            Limits { label_name_length: 8, ..Limits::default() },
            "a{too_long_name=\"c\"} 1\n",
            "label_name_length_limit exceeded (metric: a, label name: too_long_name, length: 13, limit: 8)",
        ),
        (
            Limits { label_value_length: 3, ..Limits::default() },
            "a{b=\"long\"} 1\n",
            "label_value_length_limit exceeded (metric: a, label name: b, value: \"long\", length: 4, limit: 3)",
        ),
    ] {
        let mut bench = limited(limits);
        assert_eq!(bench.scrape(page).await.error.as_deref(), Some(message));
        assert_eq!((bench.value("up"), bench.series().len()), (Some(0.0), 0));
    }
    let mut counted = limited(Limits { samples: 2, ..Limits::default() });
    let scraped = counted.scrape("a 1\nb 1\nc 1\nd 1\n").await;
    assert_eq!((scraped.counts.scraped, scraped.counts.post_relabel), (4, 4));
    let unnamed = Job { metric_relabel_rules: vec![rule(Action::LabelDrop, "", "__name__")], ..Job::new("j") };
    assert_eq!(Bench::new(unnamed).scrape("a 1\n").await.error.unwrap(), "missing metric name (__name__ label)");
    let legacy = Job { names: NameScheme::Legacy, ..Job::new("j") };
    assert_eq!(
        Bench::new(legacy).scrape("{\"a.b\"} 1\n").await.error.unwrap(),
        r#"invalid metric name or label names: {"a.b", instance="i", job="j"}"#
    );
    assert_eq!(
        Bench::new(Job::new("j")).scrape("a{b=\"1\",b=\"2\"} 1\n").await.error.unwrap(),
        "label name \"b\" is not unique: invalid sample"
    );
}

#[tokio::test]
async fn a_page_that_has_a_report_series_of_its_own_wins() {
    let mut bench = Bench::new(Job::new("j"));
    bench.scrape("up 5\n").await;
    bench.scrape("up 6\n").await;
    assert_eq!(bench.value("up"), Some(6.0));
    bench.fail().await;
    assert_eq!(bench.value("up"), Some(0.0));
}

#[tokio::test]
async fn explicit_times_are_kept_or_not() {
    let mut bench = Bench::new(Job::new("j"));
    let time = bench.tick + 100;
    for round in 0..3 {
        let far = bench.tick + 3_600_000;
        let scraped = bench.scrape(&format!("a 1 {}\nb 2\nc 3 {far}\n", time + round * 10)).await;
        assert_eq!(scraped.counts.out_of_bounds, 1);
    }
    let all = bench.shard.read();
    let times: Vec<i64> = all["a{instance=\"i\", job=\"j\"}"].iter().map(|sample| sample.0).collect();
    assert_eq!(times, [time, time + 10, time + 20]);
    assert!(!all.contains_key("c{instance=\"i\", job=\"j\"}"));
    // No marker, unless it is asked for.
    bench.scrape("b 2\n").await;
    assert_eq!(bench.value("a"), Some(1.0));
    bench.job.track_timestamps_staleness = true;
    bench.scrape(&format!("a 1 {}\nb 2\n", bench.tick)).await;
    bench.scrape("b 2\n").await;
    assert_eq!(bench.value("a"), None);
    bench.job.honor_timestamps = false;
    bench.pages.forget_shape();
    bench.scrape(&format!("a 4 {time}\n")).await;
    assert_eq!(bench.shard.read()["a{instance=\"i\", job=\"j\"}"].last(), Some(&(bench.tick, Some(4.0))));
}

#[tokio::test]
async fn exemplars_and_starts_are_sent_once() {
    let mut bench = Bench::new(Job::new("j"));
    bench.format = Format::OpenMetrics;
    let page = |value: u32, exemplar: &str| {
        format!(
            "# TYPE a counter\na_total{{b=\"1\"}} {value} # {{id=\"{exemplar}\"}} 1 {value}.5\na_total{{b=\"2\"}} 1\na_created{{b=\"1\"}} 999\n# EOF\n"
        )
    };
    let first = bench.scrape(&page(1, "x")).await;
    let record = &first.records[0].0;
    assert_eq!((record.exemplars.len(), record.exemplars[0].series, record.exemplars[0].timestamp_ms), (1, 0, 1_500));
    assert_eq!((&record.start_slots[..], &record.start_ages[..]), (&[0][..], &[bench.tick - 999_000][..]));
    let second = bench.scrape(&page(1, "x")).await;
    assert_eq!(
        (second.way, second.records[0].0.exemplars.len(), second.records[0].0.start_slots.len()),
        ("skimmed", 0, 0)
    );
    let third = bench.scrape(&page(2, "y")).await;
    assert_eq!((third.way, third.records[0].0.exemplars.len()), ("skimmed", 1));
}

#[tokio::test]
async fn histograms_become_columns() {
    let mut bench = Bench::new(Job::new("j"));
    bench.target.options = Options { convert_classic_histograms: true, ..Options::default() };
    let page = |count: u32| {
        format!(
            "# TYPE h histogram\nh_bucket{{le=\"1\"}} {count}\nh_bucket{{le=\"+Inf\"}} {count}\nh_sum {count}\nh_count {count}\na 1\n"
        )
    };
    for count in 1..4 {
        let scraped = bench.scrape(&page(count)).await;
        assert_eq!((scraped.records[0].0.histogram_slots.len(), scraped.records[0].1), (1, Outcome::Stored));
        assert_eq!([bench.value("h"), bench.value("a")], [Some(f64::from(count)), Some(1.0)]);
    }
    bench.job.limits.histogram_buckets = 1;
    let limited = bench.scrape(&page(9)).await;
    assert!(limited.error.is_none(), "one bucket is populated");
    let two =
        "# TYPE h histogram\nh_bucket{le=\"1\"} 1\nh_bucket{le=\"2\"} 2\nh_bucket{le=\"+Inf\"} 3\nh_sum 1\nh_count 3\n";
    assert_eq!(bench.scrape(two).await.error.unwrap(), "histogram bucket limit exceeded");
}

#[tokio::test]
async fn large_targets_are_split_and_failures_reach_every_part() {
    let mut bench = Bench::new(Job::new("j"));
    let page = |count: u32, value: u32| (0..count).map(|at| format!("m{{n=\"{at}\"}} {value}\n")).collect::<String>();
    bench.scrape(&page(5_000, 1)).await;
    assert_eq!(bench.pages.parts.len(), 1);
    let grown = bench.scrape(&page(20_000, 2)).await;
    assert_eq!(bench.pages.parts.len(), 4);
    assert_eq!(
        grown.records.iter().map(|(scrape, _)| (scrape.part, scrape.parts)).collect::<Vec<_>>(),
        [(0, 4), (1, 4), (2, 4), (3, 4)]
    );
    let all = bench.shard.read();
    assert!((0..20_000).step_by(777).all(|at| bench_value(&all, at) == Some(2.0)));
    let again = bench.scrape(&page(20_000, 3)).await;
    assert_eq!((again.way, again.counts.scraped), ("skimmed", 20_000));
    let all = bench.shard.read();
    assert!((0..20_000).step_by(777).all(|at| bench_value(&all, at) == Some(3.0)));
    let failed = bench.fail().await;
    assert_eq!(failed.records.len(), 4);
    let all = bench.shard.read();
    assert!((0..20_000).step_by(777).all(|at| bench_value(&all, at).is_none()));
    assert_eq!(bench.value("up"), Some(0.0));
    // The number only grows.
    bench.scrape(&page(10, 4)).await;
    assert_eq!(bench.pages.parts.len(), 4);
}

fn bench_value(all: &std::collections::BTreeMap<String, Samples>, at: u32) -> Option<f64> {
    all[&format!("m{{instance=\"i\", job=\"j\", n=\"{at}\"}}")].last().unwrap().1
}

#[tokio::test]
async fn real_pages_are_stored_alike_both_ways() {
    let mut files = testkit::shared_files("corpus/expositions", "prom");
    files.extend(testkit::shared_files("corpus/expositions", ".txt"));
    let mut skimmed = 0;
    for file in &files {
        let page = std::fs::read_to_string(file).unwrap();
        let (mut fast, mut slow) = (Bench::new(Job::new("j")), Bench::new(Job::new("j")));
        for _ in 0..3 {
            for bench in [&mut fast, &mut slow] {
                bench.format = if page.ends_with("# EOF\n") { Format::OpenMetrics } else { Format::Text };
            }
            slow.pages.forget_shape();
            let (a, b) = (fast.scrape(&page).await, slow.scrape(&page).await);
            assert_eq!((a.counts.scraped, &a.error), (b.counts.scraped, &b.error), "{}", file.display());
            assert_eq!(a.error, None, "{}", file.display());
            assert!(a.records.iter().all(|(_, outcome)| *outcome == Outcome::Stored));
        }
        skimmed += usize::from(fast.pages.last_way() == "skimmed");
        let is_page = |(labels, _): &(String, Samples)| !labels.starts_with("scrape_");
        let read = |bench: &Bench| bench.shard.read().into_iter().filter(is_page).collect::<Vec<_>>();
        assert_eq!(format!("{:?}", read(&fast)), format!("{:?}", read(&slow)), "{}", file.display());
    }
    println!("{skimmed} of {} pages can be skimmed", files.len());
    assert!(skimmed + 1 >= files.len());
}

/// Series that come and go, with values.
fn pages() -> impl Strategy<Value = Vec<Vec<(u8, u16)>>> {
    prop::collection::vec(prop::collection::vec((0..12u8, any::<u16>()), 0..14), 1..12)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn both_ways_store_the_same(rounds in pages(), failures in prop::collection::vec(0..10u8, 12), forgets in prop::collection::vec(0..10u8, 12)) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let job = Job { metric_relabel_rules: vec![rule(Action::Drop, "s", "1|2")], ..Job::new("j") };
            let (mut fast, mut slow) = (Bench::new(job.clone()), Bench::new(job));
            for ((series, failure), forget) in rounds.iter().zip(failures).zip(forgets) {
                if forget == 0 {
                    fast.shard.forget();
                    slow.shard.forget();
                }
                // Twice, so that the second one is skimmed.
                for add in [0u32, 1] {
                    let page: String = series.iter().map(|(s, value)| format!("m{{s=\"{s}\"}} {}\n", u32::from(*value) + add)).collect();
                    if failure == 0 {
                        fast.fail().await;
                        slow.fail().await;
                        continue;
                    }
                    slow.pages.forget_shape();
                    let (a, b) = (fast.scrape(&page).await, slow.scrape(&page).await);
                    assert_eq!((a.counts, a.error), (b.counts, b.error));
                }
            }
            assert_eq!(fast.shard.read(), slow.shard.read());
        });
    }

    #[test]
    fn any_bytes_are_borne(bytes in prop::collection::vec(any::<u8>(), 0..200), format in 0..3usize) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let mut bench = Bench::new(Job::new("j"));
        bench.format = [Format::Text, Format::OpenMetrics, Format::Protobuf][format];
        runtime.block_on(bench.scrape_bytes(&bytes));
    }
}
