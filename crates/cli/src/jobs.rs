//! What the configuration calls a scrape configuration as what the scraper calls a job.

use config::relabel::compile;
use config::scrape::ScrapeConfig;
use scraper::{Histograms, Job, Limits};

/// What all jobs of a process have in common: feature flags.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct ScrapeFeatures {
    /// Whether it is read when counters began.
    pub(crate) start_timestamps: bool,
    /// Whether series get their type and unit as labels.
    pub(crate) type_and_unit_labels: bool,
}

/// The job of a scrape configuration.
///
/// # Errors
/// The first relabelling rule that can't be used. The configuration was checked, so there should be none.
pub(crate) fn job_of(config: &ScrapeConfig, features: ScrapeFeatures) -> Result<Job, relabel::Error> {
    let names = config.names();
    Ok(Job {
        interval: config.scrape_interval,
        timeout: config.scrape_timeout,
        scheme: config.scheme.clone(),
        metrics_path: config.metrics_path.clone(),
        params: config.params.clone(),
        honor_labels: config.honor_labels,
        honor_timestamps: config.honor_timestamps,
        track_timestamps_staleness: config.track_timestamps_staleness,
        protocols: if features.start_timestamps { config.protocols_with_starts() } else { config.protocols() },
        start_timestamps: features.start_timestamps,
        type_and_unit_labels: features.type_and_unit_labels,
        fallback_protocol: config.fallback_protocol(),
        enable_compression: config.enable_compression,
        names,
        escaping: config.escaping_scheme(),
        relabel_rules: compile(&config.relabel_configs, names)?,
        metric_relabel_rules: compile(&config.metric_relabel_configs, names)?,
        limits: Limits {
            body_size: u64::try_from(config.body_size_limit.0).unwrap_or(0),
            samples: config.sample_limit,
            labels: config.label_limit,
            label_name_length: config.label_name_length_limit,
            label_value_length: config.label_value_length_limit,
            targets: config.target_limit,
            histogram_buckets: config.native_histogram_bucket_limit,
        },
        histograms: Histograms {
            native: config.scrape_native_histograms,
            always_classic: config.always_scrape_classic_histograms,
            convert_classic: config.convert_classic_histograms_to_nhcb,
            min_bucket_factor: config.native_histogram_min_bucket_factor,
        },
        extra_scrape_metrics: config.extra_scrape_metrics,
        keep_dropped_targets: usize::try_from(config.keep_dropped_targets).unwrap_or(usize::MAX),
        http: config.http.client(),
        ..Job::new(&config.job_name)
    })
}
