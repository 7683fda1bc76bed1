//! What is scraped.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use exposition::Options;
use model::{Labels, LabelsBuilder, ParseDurationError, TargetId, TenantId, format_duration, parse_duration, quote};
use relabel::Keep;
use xxhash_rust::xxh3::Xxh3;

use crate::job::Job;
use crate::url::url;

/// The labels by which discovery, configuration and relabelling tell how to scrape a target.
const ADDRESS: &str = "__address__";
const SCHEME: &str = "__scheme__";
const METRICS_PATH: &str = "__metrics_path__";
const INTERVAL: &str = "__scrape_interval__";
const TIMEOUT: &str = "__scrape_timeout__";
const PARAM_PREFIX: &str = "__param_";
const UNIX_SOCKET: &str = "__unix_socket__";
const NATIVE_HISTOGRAMS: &str = "__scrape_native_histograms__";
const ALWAYS_CLASSIC: &str = "__always_scrape_classic_histograms__";
const CONVERT_CLASSIC: &str = "__convert_classic_histograms_to_nhcb__";
const META_PREFIX: &str = "__meta_";
/// Labels that begin like this say how to scrape, and are not attached to samples.
const RESERVED_PREFIX: &str = "__";
const JOB: &str = "job";
const INSTANCE: &str = "instance";

/// One thing to scrape.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// Its name in the cluster: a hash of tenant, job, labels and URL.
    pub id: TargetId,
    /// The labels that its samples get.
    pub labels: Labels,
    /// The labels before relabelling, for people.
    pub discovered: Labels,
    /// Where its page is, as Go writes URLs.
    pub url: String,
    /// The socket to connect to instead of the URL's host.
    pub unix_socket: Option<PathBuf>,
    /// The time between two scrapes.
    pub interval: Duration,
    /// How long a scrape may take.
    pub timeout: Duration,
    /// How its pages are read.
    pub options: Options,
}

/// What became of a discovered label set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Populated {
    /// It is to be scraped.
    Target(Target),
    /// Relabelling dropped it. These are its labels before.
    Dropped(Labels),
}

/// Why a discovered label set is no target. The messages are Prometheus'.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TargetError {
    /// It has no address.
    #[error("no address")]
    NoAddress,
    /// The address is a URL, or a part of one.
    #[error("{} is not a valid hostname", quote(.0))]
    Address(String),
    /// An interval or timeout cannot be read.
    #[error("error parsing scrape {0}: {1}")]
    Duration(&'static str, #[source] ParseDurationError),
    /// An interval or timeout is zero.
    #[error("scrape {0} cannot be 0")]
    Zero(&'static str),
    /// Timeout and interval, as they are written.
    #[error("scrape timeout cannot be greater than scrape interval ({} > {})", quote(.0), quote(.1))]
    TimeoutAboveInterval(String, String),
    /// A switch is neither on nor off.
    #[error("error parsing {0}: strconv.ParseBool: parsing {quoted}: invalid syntax", quoted = quote(.1))]
    Switch(&'static str, String),
}

/// The labels of a target as discovery found it, with what the job adds: what relabelling starts from.
fn discovered_labels(job: &Job, group: &Labels, own: &Labels) -> LabelsBuilder {
    let mut labels = LabelsBuilder::from(own);
    let mut add = |name: &str, value: &str| {
        if labels.get(name).is_none() {
            labels.set(name, value);
        }
    };
    group.iter().for_each(|(name, value)| add(name, value));
    add(JOB, &job.name);
    add(INTERVAL, &duration_label(job.interval));
    add(TIMEOUT, &duration_label(job.timeout));
    add(METRICS_PATH, &job.metrics_path);
    add(SCHEME, &job.scheme);
    add(CONVERT_CLASSIC, &job.histograms.convert_classic.to_string());
    add(ALWAYS_CLASSIC, &job.histograms.always_classic.to_string());
    add(NATIVE_HISTOGRAMS, &job.histograms.native.to_string());
    for (name, values) in &job.params {
        if let Some(first) = values.first() {
            add(&format!("{PARAM_PREFIX}{name}"), first);
        }
    }
    labels
}

impl Target {
    /// Makes a target of a discovered label set; what it lacks comes from its group, and then from the job.
    ///
    /// # Errors
    /// If its labels do not say where and when to scrape it.
    pub fn populate(tenant: &TenantId, job: &Job, group: &Labels, own: &Labels) -> Result<Populated, TargetError> {
        let mut labels = discovered_labels(job, group, own);
        let discovered = labels.build();
        if relabel::apply(&job.relabel_rules, &mut labels) == Keep::No {
            return Ok(Populated::Dropped(discovered));
        }
        let address = labels.get(ADDRESS).unwrap_or_default().to_owned();
        if address.is_empty() {
            return Err(TargetError::NoAddress);
        }
        if address.contains('/') {
            return Err(TargetError::Address(address));
        }
        let (interval, timeout) = times(&labels)?;
        let convert_classic = switch(&labels, CONVERT_CLASSIC, "convert classic histograms to nhcb")?;
        let always_classic = switch(&labels, ALWAYS_CLASSIC, "always scrape classic histograms")?;
        let native = switch(&labels, NATIVE_HISTOGRAMS, "scrape native histograms")?;
        labels.retain(|name, _| !name.starts_with(META_PREFIX));
        if labels.get(INSTANCE).is_none() {
            labels.set(INSTANCE, &address);
        }
        let all = labels.build();
        let url = target_url(job, &all);
        let public = labels.retain(|name, _| !name.starts_with(RESERVED_PREFIX)).build();
        Ok(Populated::Target(Self {
            id: target_id(tenant, &job.name, &public, &url),
            labels: public,
            discovered,
            url,
            unix_socket: all.get(UNIX_SOCKET).map(PathBuf::from),
            interval,
            timeout,
            options: Options {
                start_timestamps: job.start_timestamps,
                ignore_native_histograms: !native,
                keep_classic_histograms: always_classic,
                convert_classic_histograms: convert_classic,
            },
        }))
    }
}

/// The name of a target. Labels that say how to scrape count only as far as they are part of the URL, so that a target
/// whose interval changes remains the same one.
fn target_id(tenant: &TenantId, job: &str, labels: &Labels, url: &str) -> TargetId {
    let mut hash = Xxh3::new();
    for text in [tenant.as_str().as_bytes(), job.as_bytes(), labels.canonical_bytes(), url.as_bytes()] {
        // Lengths keep ("a", "bc") and ("ab", "c") apart.
        hash.update(&(text.len() as u64).to_le_bytes());
        hash.update(text);
    }
    TargetId(hash.digest128())
}

fn target_url(job: &Job, labels: &Labels) -> String {
    let mut params: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (name, values) in &job.params {
        params.insert(name, values.iter().map(String::as_str).collect());
    }
    for (name, value) in labels.iter() {
        let Some(param) = name.strip_prefix(PARAM_PREFIX) else { continue };
        let values = params.entry(param).or_default();
        match values.first_mut() {
            Some(first) => *first = value,
            None => values.push(value),
        }
    }
    url(labels.value(SCHEME), labels.value(ADDRESS), labels.value(METRICS_PATH), &params)
}

fn times(labels: &LabelsBuilder) -> Result<(Duration, Duration), TargetError> {
    let read = |name: &str, what: &'static str| {
        let ms = parse_duration(labels.get(name).unwrap_or_default());
        match ms.map_err(|error| TargetError::Duration(what, error))? {
            0 => Err(TargetError::Zero(what)),
            ms => Ok(Duration::from_millis(ms.unsigned_abs())),
        }
    };
    let (interval, timeout) = (read(INTERVAL, "interval")?, read(TIMEOUT, "timeout")?);
    if timeout > interval {
        let text = |name: &str| labels.get(name).unwrap_or_default().to_owned();
        return Err(TargetError::TimeoutAboveInterval(text(TIMEOUT), text(INTERVAL)));
    }
    Ok((interval, timeout))
}

/// A switch; what is not set is off. The words are Go's.
fn switch(labels: &LabelsBuilder, name: &str, what: &'static str) -> Result<bool, TargetError> {
    match labels.get(name).unwrap_or_default() {
        "" | "0" | "f" | "F" | "false" | "FALSE" | "False" => Ok(false),
        "1" | "t" | "T" | "true" | "TRUE" | "True" => Ok(true),
        other => Err(TargetError::Switch(what, other.to_owned())),
    }
}

fn duration_label(duration: Duration) -> String {
    format_duration(i64::try_from(duration.as_millis()).unwrap_or(i64::MAX))
}

#[cfg(test)]
mod tests;
