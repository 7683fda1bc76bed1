//! `info`: labels of info metrics for the series of the same job and instance.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use model::{LabelsBuilder, METRIC_NAME, MatchOp, Matcher, TimeRange, Timestamp};
use series::{Hints, QueryError};

use crate::grid::Grid;
use crate::identity::{Identity, in_braces};
use crate::plan::Selection;
use crate::read::{Reader, Reading, Reference};
use crate::table::{Row, Table, is_present};
use crate::unique::same_labels;

/// The labels in which series and info series agree.
const IDENTIFYING_LABELS: [&str; 2] = ["instance", "job"];
/// The info metric that is meant unless another one is asked for.
const TARGET_INFO: &str = "target_info";

/// A call of `info`.
#[derive(Debug)]
pub(crate) struct Info {
    /// Which metrics are info metrics.
    name_matchers: Vec<Matcher>,
    /// Which labels are added, and which values they must have; all are if it is empty.
    label_matchers: Vec<Matcher>,
    reference: Reference,
    lookback: i64,
}

impl Info {
    pub(crate) fn new(matchers: Option<&[Matcher]>, reference: Reference, lookback: i64) -> Self {
        let (names, label_matchers): (Vec<Matcher>, Vec<Matcher>) =
            matchers.unwrap_or_default().iter().cloned().partition(|matcher| matcher.name() == METRIC_NAME);
        Self { name_matchers: complete(names), label_matchers, reference, lookback }
    }

    /// How info series are read: as the times of their samples, in ms.
    pub(crate) fn reader(&self) -> Reader {
        Reader::Instant { reference: self.reference, lookback: self.lookback, what: Reading::InfoTime }
    }

    /// What to ask storage for, given the series that get labels. No info series is selected twice.
    pub(crate) fn selections(&self, base: &Table, grid: Grid) -> Vec<Selection> {
        let mut values: BTreeMap<[bool; 2], [BTreeSet<&str>; 2]> = BTreeMap::new();
        for row in base.rows().filter(|row| !self.is_info(row.id)) {
            let own = IDENTIFYING_LABELS.map(|name| row.id.value(name));
            let is_present = own.map(|value| !value.is_empty());
            if is_present.contains(&true) {
                let sets = values.entry(is_present).or_default();
                sets.iter_mut().zip(own).for_each(|(set, value)| {
                    set.insert(value);
                });
            }
        }
        let (first, last) = self.reader().time_range(self.reference, (grid.start(), grid.end()));
        let range = TimeRange::inclusive(Timestamp(first), Timestamp(last));
        let hints = Hints { step_ms: grid.step(), function: "info", ..Hints::default() };
        let selection = |sets: [BTreeSet<&str>; 2]| {
            let mut matchers: Vec<Matcher> =
                IDENTIFYING_LABELS.iter().zip(&sets).filter_map(|(name, values)| one_of(name, values)).collect();
            matchers.extend(self.label_matchers.iter().chain(&self.name_matchers).cloned());
            Selection { matchers: matchers.into(), range, hints: hints.clone(), text: "info metrics".to_owned() }
        };
        values.into_values().map(selection).collect()
    }

    /// Whether a series is an info series itself, and stays as it is.
    fn is_info(&self, id: &Identity) -> bool {
        self.name_matchers.iter().all(|matcher| matcher.matches(id.metric()))
    }

    /// The series with the labels that info series have at each step.
    ///
    /// # Errors
    /// If info series contradict each other, or two series come to have the same labels before that: what is wrong at the
    /// first step at which something is.
    pub(crate) fn combine(&self, base: &Table, info: &Table, grid: Grid) -> Result<Table, QueryError> {
        let mut failure = None;
        let newest = newest_info(info, &base.steps(grid), grid, &mut failure);
        let mut result = Table::new();
        for row in base.rows() {
            if self.is_info(row.id) {
                result.push_copy(row.id.clone(), row);
                continue;
            }
            let own = IDENTIFYING_LABELS.map(|name| row.id.value(name).to_owned());
            let metrics: Vec<&Vec<Option<usize>>> =
                newest.iter().filter(|((_, labels), _)| *labels == own).map(|(_, steps)| steps).collect();
            for (found, steps) in combinations(row, &metrics) {
                if found.is_empty() && !self.label_matchers.iter().all(|matcher| matcher.matches("")) {
                    continue;
                }
                match self.identity(row.id, found.iter().map(|at| info.row(*at).id)) {
                    Ok(id) => push_steps(&mut result, id, row, &steps, grid),
                    Err(error) => Failure::note(&mut failure, steps[0], error),
                }
            }
        }
        match failure {
            None => Ok(result),
            Some(failure) if has_same_labels_before(&result, failure.step) => Err(same_labels()),
            Some(failure) => Err(failure.error),
        }
    }

    /// A series with the labels of info series.
    fn identity<'a>(&self, base: &Identity, info: impl Iterator<Item = &'a Identity>) -> Result<Identity, QueryError> {
        let mut added = LabelsBuilder::new();
        for (name, value) in info.flat_map(Identity::iter).filter(|(name, _)| *name != METRIC_NAME) {
            if !self.label_matchers.is_empty() && !self.label_matchers.iter().any(|matcher| matcher.name() == name) {
                continue;
            }
            if added.get(name).is_some_and(|known| known != value) {
                return Err(QueryError::Execution(format!("conflicting label: {name}")));
            }
            if base.value(name).is_empty() {
                added.set(name, value);
            }
        }
        let mut labels = LabelsBuilder::from(base.labels());
        for (name, value) in added.iter() {
            labels.set(name, value);
        }
        Ok(Identity::marked(labels.build(), base.is_to_drop()))
    }
}

/// What is wrong with info series, and at which step first. Prometheus looks at one step after the other.
struct Failure {
    step: usize,
    error: QueryError,
}

impl Failure {
    /// Keeps what is wrong at the earlier step, and of the same step what was noted first.
    fn note(first: &mut Option<Self>, step: usize, error: QueryError) {
        if first.as_ref().is_none_or(|first| step < first.step) {
            *first = Some(Self { step, error });
        }
    }
}

/// The info series that there are at each step of a series, which mostly are the same: each combination of them, with its steps.
fn combinations(row: Row<'_>, metrics: &[&Vec<Option<usize>>]) -> BTreeMap<Vec<usize>, Vec<usize>> {
    let mut combinations: BTreeMap<Vec<usize>, Vec<usize>> = BTreeMap::new();
    let mut all: Vec<usize> = row.present_steps().collect();
    all.sort_unstable();
    for step in all {
        let found = metrics.iter().filter_map(|steps| steps[step]).collect();
        combinations.entry(found).or_default().push(step);
    }
    combinations
}

/// Whether two series have the same labels at one of the steps before `end`.
fn has_same_labels_before(table: &Table, end: usize) -> bool {
    let mut seen = BTreeSet::new();
    table.rows().any(|row| {
        let labels = row.id.labels();
        row.present_steps().filter(|step| *step < end).any(|step| !seen.insert((labels.clone(), step)))
    })
}

/// The rows of the newest info series at each step, by metric and identifying labels.
type NewestInfo = BTreeMap<(String, [String; 2]), Vec<Option<usize>>>;

/// Notes a failure if two of them are equally new, at the first step at which that matters: at which there is a series to add
/// labels to.
fn newest_info(info: &Table, base_steps: &[bool], grid: Grid, failure: &mut Option<Failure>) -> NewestInfo {
    let mut newest: NewestInfo = BTreeMap::new();
    let mut duplicate: Option<(usize, usize, usize)> = None;
    for (at, row) in info.rows().enumerate() {
        let key = (row.id.metric().to_owned(), IDENTIFYING_LABELS.map(|name| row.id.value(name).to_owned()));
        let steps = newest.entry(key).or_insert_with(|| vec![None; grid.len()]);
        for (step, time) in row.present_floats().filter(|(step, _)| base_steps[*step]) {
            match steps[step] {
                Some(other) if time == info.row(other).float(step) => {
                    if duplicate.is_none_or(|(first, ..)| step < first) {
                        duplicate = Some((step, other, at));
                    }
                }
                Some(other) if time < info.row(other).float(step) => {}
                _ => steps[step] = Some(at),
            }
        }
    }
    if let Some((step, existing, new)) = duplicate {
        let show = |at: usize| format!("{} @ {}", in_braces(&info.row(at).id.labels()), info.row(at).float(step));
        let message = format!("found duplicate series for info metric: existing {}, new {}", show(existing), show(new));
        Failure::note(failure, step, QueryError::Execution(message));
    }
    newest
}

/// Adds some steps of a series.
fn push_steps(table: &mut Table, id: Identity, row: Row<'_>, steps: &[usize], grid: Grid) {
    let mut new = table.start_row(grid.len());
    for step in steps {
        let float = row.float(*step);
        if is_present(float) {
            new.set(*step, float);
        } else if let Some(histogram) = row.histogram(*step) {
            new.push_histogram(*step, Arc::clone(histogram));
        }
    }
    new.finish(id);
}

/// Conditions on the name that select something: if they only exclude, from what looks like an info metric.
fn complete(mut names: Vec<Matcher>) -> Vec<Matcher> {
    if names.is_empty() {
        return vec![Matcher::equal(METRIC_NAME, TARGET_INFO)];
    }
    let is_positive = |matcher: &Matcher| matches!(matcher.op(), MatchOp::Equal | MatchOp::Regex);
    if !names.iter().any(is_positive) {
        names.extend(Matcher::new(MatchOp::Regex, METRIC_NAME, ".+_info").ok());
    }
    names
}

/// The condition that a label has one of these values; `None` if it is too long to be one.
fn one_of(name: &str, values: &BTreeSet<&str>) -> Option<Matcher> {
    let mut values: Vec<&str> = values.iter().copied().collect();
    if let [value] = values.as_slice() {
        return Some(Matcher::equal(name, value));
    }
    values.sort_unstable();
    let quoted: Vec<String> = values.into_iter().map(escape).collect();
    Matcher::new(MatchOp::Regex, name, &quoted.join("|")).ok()
}

/// A regular expression that matches exactly this text.
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        if r"\.+*?()|[]{}^$".contains(c) {
            escaped.push('\\');
        }
        escaped.push(c);
    }
    escaped
}
