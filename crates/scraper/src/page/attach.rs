//! The labels that a sample is stored with.

use exposition::Series;
use model::{Labels, LabelsBuilder, METRIC_NAME, NameScheme, quote};
use relabel::Keep;

use super::PageError;
use crate::job::{Job, Limits};
use crate::target::Target;

/// What a label of the page is called when the target has one of the same name.
const EXPORTED_PREFIX: &str = "exported_";

/// The labels of a series with those of the target and after relabelling; `None` if it is dropped.
///
/// # Errors
/// If they are no labels of a series, or too many or too long ones.
pub(super) fn attach(series: &Series<'_>, job: &Job, target: &Target) -> Result<Option<Labels>, PageError> {
    let scraped = series.labels();
    if let Some(name) = series.repeated_label() {
        return Err(PageError::RepeatedLabel(name));
    }
    let mut labels = LabelsBuilder::from(&scraped);
    if job.honor_labels {
        // An empty label of the page says that the target's is not wanted, which is how a push gateway speaks.
        for (name, value) in target.labels.iter().filter(|(name, _)| !series.names_label(name)) {
            labels.set(name, value);
        }
    } else {
        override_labels(&scraped, &target.labels, &mut labels);
    }
    if relabel::apply(&job.metric_relabel_rules, &mut labels) == Keep::No {
        return Ok(None);
    }
    let labels = labels.build();
    if labels.is_empty() {
        return Ok(None);
    }
    check_names(&labels, job.names)?;
    check_limits(&labels, &job.limits)?;
    Ok(Some(labels))
}

/// Sets the labels of the target, and keeps those of the page in their way under other names.
fn override_labels(scraped: &Labels, target: &Labels, labels: &mut LabelsBuilder) {
    let mut conflicts: Vec<(&str, &str)> = Vec::new();
    for (name, value) in target.iter() {
        conflicts.extend(scraped.get(name).map(|old| (name, old)));
        labels.set(name, value);
    }
    // The shorter name first: it may need the name that the longer one would get.
    conflicts.sort_by_key(|(name, _)| name.len());
    for (name, value) in conflicts {
        let mut exported = format!("{EXPORTED_PREFIX}{name}");
        while labels.get(&exported).is_some() {
            exported.insert_str(0, EXPORTED_PREFIX);
        }
        labels.set(&exported, value);
    }
}

fn check_names(labels: &Labels, names: NameScheme) -> Result<(), PageError> {
    let Some(metric) = labels.get(METRIC_NAME) else { return Err(PageError::NoName) };
    let valid = names.allows_metric(metric) && labels.iter().all(|(name, _)| names.allows_label(name));
    if valid { Ok(()) } else { Err(PageError::InvalidNames(labels.clone())) }
}

fn check_limits(labels: &Labels, limits: &Limits) -> Result<(), PageError> {
    let exceeds = |value: usize, limit: u64| limit > 0 && value as u64 > limit;
    let metric = short(labels.metric());
    if limits.labels > 0 && exceeds(labels.len(), limits.labels) {
        let (count, limit) = (labels.len(), limits.labels);
        let message = format!("label_limit exceeded (metric: {metric}, number of labels: {count}, limit: {limit})");
        return Err(PageError::LabelLimit(message));
    }
    if limits.label_name_length == 0 && limits.label_value_length == 0 {
        return Ok(());
    }
    for (name, value) in labels.iter() {
        let (shown, length) = (short(name), name.len());
        if exceeds(length, limits.label_name_length) {
            let limit = limits.label_name_length;
            return Err(PageError::LabelLimit(format!(
                "label_name_length_limit exceeded (metric: {metric}, label name: {shown}, length: {length}, limit: {limit})"
            )));
        }
        let length = value.len();
        if exceeds(length, limits.label_value_length) {
            let (value, limit) = (quote(short(value)), limits.label_value_length);
            return Err(PageError::LabelLimit(format!(
                "label_value_length_limit exceeded (metric: {metric}, label name: {shown}, value: {value}, \
                 length: {length}, limit: {limit})"
            )));
        }
    }
    Ok(())
}

/// The first fifty characters, as Go's `%.50s` shows them.
fn short(text: &str) -> &str {
    text.char_indices().nth(50).map_or(text, |(at, _)| &text[..at])
}
