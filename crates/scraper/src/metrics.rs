//! What a scraper says about itself. Where Prometheus has a metric, ours has its name.

use std::time::Duration;

use model::format_duration;
use telemetry::metrics::histogram::exponential_buckets;
use telemetry::{Counter, Family, FloatGauge, Gauge, Histogram, Registry, latency_histogram};

/// One label with a value of the configuration.
type Label = [(&'static str, String); 1];
/// One label with a value of ours.
type FixedLabel = [(&'static str, &'static str); 1];

/// The metrics of a scraper.
#[derive(Clone, Debug)]
pub(crate) struct Metrics {
    pub(crate) pools: Gauge,
    pool_targets: Family<Label, Gauge>,
    pool_owned_targets: Family<Label, Gauge>,
    pool_syncs: Family<Label, Counter>,
    sync_failed: Family<Label, Counter>,
    interval_length: Family<Label, Histogram>,
    pub(crate) exceeded_target_limit: Counter,
    pub(crate) exceeded_label_limits: Counter,
    pub(crate) exceeded_body_size_limit: Counter,
    pub(crate) exceeded_sample_limit: Counter,
    pub(crate) exceeded_bucket_limit: Counter,
    pub(crate) duplicate_timestamp: Counter,
    pub(crate) out_of_order: Counter,
    pub(crate) out_of_bounds: Counter,
    pub(crate) refused_series: Counter,
    pub(crate) scrape_duration: Histogram,
    pages: Family<FixedLabel, Counter>,
    pub(crate) samples: Counter,
    pub(crate) skipped_ticks: Counter,
    pub(crate) withheld_failures: Counter,
    pub(crate) clock_skew_seconds: FloatGauge,
    pub(crate) is_member: Gauge,
    pub(crate) membership_epoch: Gauge,
    lease_renewals: Family<FixedLabel, Counter>,
}

fn interval_histogram() -> Histogram {
    // From a tenth of a second to nearly an hour.
    Histogram::new(exponential_buckets(0.1, 2.0, 16))
}

impl Metrics {
    pub(crate) fn register(registry: &Registry) -> Self {
        let counter = |name, help| registry.register(name, help, Counter::default());
        let gauge = |name, help| registry.register(name, help, Gauge::default());
        let of_jobs = |name, help| registry.register(name, help, Family::<Label, Gauge>::default());
        let by_jobs = |name, help| registry.register(name, help, Family::<Label, Counter>::default());
        let by_kind = |name, help| registry.register(name, help, Family::<FixedLabel, Counter>::default());
        let by_interval = Family::new_with_constructor(interval_histogram as fn() -> Histogram);
        Self {
            pools: gauge("target_scrape_pools", "Jobs"),
            pool_targets: of_jobs("target_scrape_pool_targets", "Targets of a job, whoever owns them"),
            pool_owned_targets: of_jobs(
                "target_scrape_pool_owned_targets",
                "Targets of a job that are scraped from here",
            ),
            pool_syncs: by_jobs(
                "target_scrape_pool_sync",
                "How often the targets of a job were compared with discovery",
            ),
            sync_failed: by_jobs("target_sync_failed", "Discovered targets that cannot be scraped"),
            interval_length: registry.register(
                "target_interval_length_seconds",
                "Time between the beginnings of two scrapes of a target",
                by_interval,
            ),
            exceeded_target_limit: counter(
                "target_scrape_pool_exceeded_target_limit",
                "How often a job had more targets than it may have",
            ),
            exceeded_label_limits: counter(
                "target_scrape_pool_exceeded_label_limits",
                "Scrapes with series that have too many or too long labels",
            ),
            exceeded_body_size_limit: counter(
                "target_scrapes_exceeded_body_size_limit",
                "Scrapes with too large pages",
            ),
            exceeded_sample_limit: counter("target_scrapes_exceeded_sample_limit", "Scrapes with too many samples"),
            exceeded_bucket_limit: counter(
                "target_scrapes_exceeded_native_histogram_bucket_limit",
                "Scrapes with native histograms of too many buckets",
            ),
            duplicate_timestamp: counter(
                "target_scrapes_sample_duplicate_timestamp",
                "Samples left out because their series has one at that time",
            ),
            out_of_order: counter(
                "target_scrapes_sample_out_of_order",
                "Samples refused because they are out of order",
            ),
            out_of_bounds: counter(
                "target_scrapes_sample_out_of_bounds",
                "Samples left out because they are too old or too far in the future",
            ),
            refused_series: counter("target_scrapes_refused_series", "Series that a shard did not take up"),
            scrape_duration: registry.register(
                "target_scrape_duration_seconds",
                "Time from the beginning of a scrape until its rows are on their way",
                latency_histogram(),
            ),
            pages: by_kind("scraper_pages", "Pages that were read, by how: skimmed, parsed, empty or failed"),
            samples: counter("scraper_samples", "Samples that were sent, reports included"),
            skipped_ticks: counter(
                "scraper_skipped_ticks",
                "Scrapes that did not take place because one before was late",
            ),
            withheld_failures: counter(
                "scraper_withheld_failures",
                "Failed scrapes that were sent late because the target's former owner may have had more luck",
            ),
            clock_skew_seconds: registry.register(
                "scraper_clock_skew_seconds",
                "How far the cluster's clock is ahead of this one",
                FloatGauge::default(),
            ),
            is_member: gauge("scraper_is_member", "Whether this scraper holds a lease, and may scrape"),
            membership_epoch: gauge("scraper_membership_epoch", "The version of the membership that is followed"),
            lease_renewals: by_kind("scraper_lease_renewals", "Tries to renew the lease, by result"),
        }
    }

    pub(crate) fn count_sync(&self, job: &str, targets: usize, failed: usize) {
        let label = [("scrape_job", job.to_owned())];
        self.pool_targets.get_or_create(&label).set(targets as i64);
        self.pool_syncs.get_or_create(&label).inc();
        self.sync_failed.get_or_create(&label).inc_by(failed as u64);
    }

    pub(crate) fn set_owned(&self, job: &str, targets: usize) {
        self.pool_owned_targets.get_or_create(&[("scrape_job", job.to_owned())]).set(targets as i64);
    }

    pub(crate) fn forget_job(&self, job: &str) {
        let label = [("scrape_job", job.to_owned())];
        self.pool_targets.remove(&label);
        self.pool_owned_targets.remove(&label);
        self.pool_syncs.remove(&label);
        self.sync_failed.remove(&label);
    }

    pub(crate) fn observe_interval(&self, interval_ms: i64, length: Duration) {
        let label = [("interval", format_duration(interval_ms))];
        self.interval_length.get_or_create(&label).observe(length.as_secs_f64());
    }

    pub(crate) fn count_page(&self, how: &'static str) {
        self.pages.get_or_create(&[("how", how)]).inc();
    }

    pub(crate) fn count_renewal(&self, result: &'static str) {
        self.lease_renewals.get_or_create(&[("result", result)]).inc();
    }
}
