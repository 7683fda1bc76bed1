//! Arithmetic and comparisons between the series of two vectors.

use std::collections::HashMap;
use std::sync::Arc;

use foldhash::fast::RandomState;
use model::{Labels, LabelsBuilder};
use promql::ast::Cardinality;
use series::QueryError;

use super::element::{Combined, Element, combine as combine_elements};
use super::match_labels::{GroupNumbers, MatchLabels};
use super::{Join, JoinContext};
use crate::annotation::LastRemarks;
use crate::arithmetic::{arithmetic, changes_meaning};
use crate::grid::Grid;
use crate::identity::{Identity, METADATA_LABELS, Naming, in_braces};
use crate::table::{ABSENT, NewRow, Row, Table, is_present};
use crate::unique::{Sharing, Unique};
use crate::watch::Watch;

/// What the operator makes of series that match.
///
/// # Errors
/// If it is not clear which series belong to each other.
pub(super) fn combine(
    join: &Join,
    left: &Table,
    right: &Table,
    context: JoinContext<'_>,
    remarks: &mut LastRemarks,
) -> Result<Table, QueryError> {
    let fill = join.matching.fill;
    if (left.is_empty() && right.is_empty()) || (!fill.is_some() && (left.is_empty() || right.is_empty())) {
        return Ok(Table::new());
    }
    // From here on the second vector is the one with one series for each group.
    let is_swapped = join.matching.cardinality == Cardinality::OneToMany;
    let (many, one) = if is_swapped { (right, left) } else { (left, right) };
    let labels = MatchLabels::new(&join.matching);
    let mut matcher = Matcher {
        join,
        many,
        one,
        grid: context.grid,
        naming: context.naming,
        is_swapped,
        groups: Groups::new(many, one, &labels, fill.is_some()),
        labels,
        remarks,
        end: context.grid.len(),
        has_conflict: false,
        result: Table::new(),
    };
    // Prometheus goes step by step, and looks for duplicates first: only the steps before the first one matter then.
    let duplicate = matcher.duplicate();
    if let Some((step, _)) = &duplicate {
        matcher.end = *step;
    }
    if matcher.end > 0 {
        matcher.match_all(context.watch)?;
    }
    let error = match (matcher.has_conflict, duplicate) {
        (true, _) => several_matches(join.matching.cardinality),
        (false, Some((_, error))) => error,
        (false, None) => return Ok(matcher.result),
    };
    check_before(matcher.end, matcher.result)?;
    Err(error)
}

/// # Errors
/// If two results are the same at a step before `end`.
fn check_before(end: usize, mut result: Table) -> Result<(), QueryError> {
    result.change(|row| {
        let floats = row.floats.iter_mut().enumerate();
        floats.filter(|(at, _)| row.first + at >= end).for_each(|(_, value)| *value = ABSENT);
        row.histograms.retain(|(step, _)| (*step as usize) < end);
    });
    let mut unique = Unique::default();
    unique.see_changed(&result);
    unique.check(Sharing::OtherSteps)
}

struct Matcher<'a> {
    join: &'a Join,
    many: &'a Table,
    one: &'a Table,
    grid: Grid,
    naming: Naming,
    is_swapped: bool,
    labels: MatchLabels,
    groups: Groups,
    remarks: &'a mut LastRemarks,
    /// The first step at which the evaluation fails, as far as is known: those from there on do not matter.
    end: usize,
    /// Whether it is not clear at some step which series match.
    has_conflict: bool,
    result: Table,
}

/// The rows of both tables by match group.
struct Groups {
    members: Vec<Members>,
    /// The group of each of the "many" rows that has one.
    of_many: Vec<Option<usize>>,
}

#[derive(Clone, Debug, Default)]
struct Members {
    one: Vec<usize>,
    /// Which of these is there at each step, once somebody asked.
    ones_by_step: Option<Arc<[Option<usize>]>>,
    many_count: usize,
    matched: Matched,
}

/// Where results of a group are already.
#[derive(Clone, Debug, Default)]
struct Matched {
    /// The steps that have a match.
    steps: Vec<bool>,
    /// Unless it is one to one: the steps at which there are results with these labels.
    results: HashMap<Labels, Vec<bool>, RandomState>,
}

impl Groups {
    fn new(many: &Table, one: &Table, labels: &MatchLabels, fills: bool) -> Self {
        let mut numbers = GroupNumbers::default();
        let mut members: Vec<Members> = Vec::new();
        for (at, row) in one.rows().enumerate() {
            let group = numbers.number(row.id, labels);
            members.resize_with(numbers.len(), Members::default);
            members[group].one.push(at);
        }
        let mut of_many = Vec::with_capacity(many.len());
        for row in many.rows() {
            let group = if fills { Some(numbers.number(row.id, labels)) } else { numbers.find(row.id, labels) };
            members.resize_with(numbers.len(), Members::default);
            if let Some(group) = group {
                members[group].many_count += 1;
            }
            of_many.push(group);
        }
        Self { members, of_many }
    }
}

impl Matcher<'_> {
    /// The first step at which two series of the side that must have one for each group are there, and what to say then.
    fn duplicate(&self) -> Option<(usize, QueryError)> {
        let is_filled = self.join.matching.fill.is_some();
        let mut many_steps: Option<Vec<bool>> = None;
        // The step, the series, and the one before it. Prometheus finds the first step's first one.
        let mut first: Option<(usize, usize, usize)> = None;
        for members in self.groups.members.iter().filter(|members| members.one.len() > 1) {
            // Where the other vector is empty, nothing is looked at.
            let many_steps = many_steps.get_or_insert_with(|| self.many.steps(self.grid));
            let mut seen: Vec<Option<usize>> = vec![None; self.grid.len()];
            for at in &members.one {
                for step in self.one.row(*at).present_steps() {
                    match seen[step] {
                        Some(other) if is_filled || many_steps[step] => {
                            let found = (step, *at, other);
                            first = Some(first.map_or(found, |first| first.min(found)));
                        }
                        Some(_) => {}
                        None => seen[step] = Some(*at),
                    }
                }
            }
        }
        first.map(|(step, at, other)| (step, self.duplicate_error(at, other)))
    }

    fn duplicate_error(&self, at: usize, other: usize) -> QueryError {
        let side = if self.is_swapped { "left" } else { "right" };
        let group = in_braces(&self.labels.of(self.one.row(at).id));
        let mut texts = [at, other].map(|row| in_braces(&self.one.row(row).id.labels()));
        texts.sort_unstable();
        let [first, second] = texts;
        QueryError::Execution(format!(
            "found duplicate series for the match group {group} on the {side} hand-side of the operation: \
             [{first}, {second}];many-to-many matching not allowed: matching labels must be unique on one side"
        ))
    }

    /// # Errors
    /// If it takes too long.
    fn match_all(&mut self, watch: &Watch) -> Result<(), QueryError> {
        let fill = self.join.matching.fill;
        for at in 0..self.many.len() {
            watch.check()?;
            let Some(group) = self.groups.of_many[at] else { continue };
            let row = self.many.row(at);
            if self.is_simple(group) {
                self.match_simple(row, group);
                continue;
            }
            if self.join.matching.include.is_empty() {
                self.match_with_any(row, group);
            } else {
                // Each of the other side makes a series of its own.
                for one in self.groups.members[group].one.clone() {
                    let one = self.one.row(one);
                    let id = self.result_identity(row.id, Some(one.id));
                    self.match_pair(group, id, |step| Some((Element::at(row, step)?, Element::at(one, step)?)));
                }
            }
            if let Some(value) = fill.right {
                self.fill_one_side(row, group, value);
            }
        }
        if let Some(value) = fill.left {
            self.fill_many_side(value);
        }
        Ok(())
    }

    /// Whether a group has one series on each side, so that nothing can go wrong.
    fn is_simple(&self, group: usize) -> bool {
        let members = &self.groups.members[group];
        !self.join.matching.fill.is_some() && members.one.len() == 1 && members.many_count == 1
    }

    /// Matches the only two series of a group.
    fn match_simple(&mut self, many: Row<'_>, group: usize) {
        let one = self.one.row(self.groups.members[group].one[0]);
        let id = self.result_identity(many.id, Some(one.id));
        let mut row = self.result.start_row(self.grid.len());
        if let Some(compute) = arithmetic(self.join.op)
            && many.histograms.is_empty()
            && one.histograms.is_empty()
        {
            let steps = overlap(many, one);
            if steps.is_empty() {
                row.finish(id);
                return;
            }
            let own = |row: Row<'_>| steps.start - row.first..steps.end - row.first;
            let (many_floats, one_floats) = (&many.floats[own(many)], &one.floats[own(one)]);
            let (left, right) = if self.is_swapped { (one_floats, many_floats) } else { (many_floats, one_floats) };
            for ((result, left), right) in row.floats()[steps].iter_mut().zip(left).zip(right) {
                *result = if is_present(*left) && is_present(*right) { compute(*left, *right) } else { ABSENT };
            }
            row.finish(id);
            return;
        }
        for step in steps_in_order(many) {
            if let (Some(many), Some(one)) = (Element::at(many, step), Element::at(one, step)) {
                let (left, right) = if self.is_swapped { (one, many) } else { (many, one) };
                let combined = evaluate(self.join, left, right, step, self.remarks);
                write(self.join, combined, step, &mut row);
            }
        }
        row.finish(id);
    }

    /// Matches a series of the "many" side with those of the other side, of which there is at most one at each step.
    fn match_with_any(&mut self, many: Row<'_>, group: usize) {
        let id = self.result_identity(many.id, None);
        let (one, ones) = (self.one, self.ones_by_step(group));
        self.match_pair(group, id, |step| {
            let partner = one.row(ones[step]?);
            Some((Element::at(many, step)?, Element::at(partner, step)?))
        });
    }

    /// The "one" side's row of a group at each step.
    fn ones_by_step(&mut self, group: usize) -> Arc<[Option<usize>]> {
        let members = &mut self.groups.members[group];
        let ones = members.ones_by_step.get_or_insert_with(|| {
            let mut ones = vec![None; self.grid.len()];
            for at in &members.one {
                self.one.row(*at).present_steps().for_each(|step| ones[step] = Some(*at));
            }
            ones.into()
        });
        Arc::clone(ones)
    }

    /// Adds the results of pairs of values, of a series of the "many" side and one of the "one" side. Where there is such a
    /// result already, it is not clear which series match.
    fn match_pair<'b>(
        &mut self,
        group: usize,
        id: Identity,
        pair: impl Fn(usize) -> Option<(Element<'b>, Element<'b>)>,
    ) {
        let is_one_to_one = self.join.matching.cardinality == Cardinality::OneToOne;
        let mut row = self.result.start_row(self.grid.len());
        let Matched { steps, results } = &mut self.groups.members[group].matched;
        steps.resize(self.grid.len(), false);
        let mut own_steps = if is_one_to_one { None } else { Some(results.entry(id.labels()).or_default()) };
        if let Some(own_steps) = &mut own_steps {
            own_steps.resize(self.grid.len(), false);
        }
        for step in 0..self.end {
            let Some((many, one)) = pair(step) else { continue };
            let (left, right) = if self.is_swapped { (one, many) } else { (many, one) };
            let combined = evaluate(self.join, left, right, step, self.remarks);
            if let Combined::Nothing = combined {
                continue;
            }
            let had_match = std::mem::replace(&mut steps[step], true);
            let is_taken = match &mut own_steps {
                None => had_match,
                Some(own_steps) => std::mem::replace(&mut own_steps[step], true),
            };
            if is_taken {
                (self.has_conflict, self.end) = (true, step);
                break;
            }
            write(self.join, combined, step, &mut row);
        }
        row.finish(id);
    }

    /// Matches a series of the "many" side with a value where the other side has none.
    fn fill_one_side(&mut self, many: Row<'_>, group: usize, value: f64) {
        let ones = self.ones_by_step(group);
        // What stands for the missing series has the labels of the match group.
        let filled = Identity::new(self.labels.of(many.id));
        let id = self.result_identity(many.id, Some(&filled));
        self.match_pair(group, id, |step| {
            let element = Element::at(many, step)?;
            ones[step].is_none().then_some((element, Element::Float(value)))
        });
    }

    /// Matches series of the "one" side with a value where they had no match.
    fn fill_many_side(&mut self, value: f64) {
        for group in 0..self.groups.members.len() {
            let matched = self.groups.members[group].matched.clone();
            for at in self.groups.members[group].one.clone() {
                let one = self.one.row(at);
                let many_id = Identity::new(self.labels.of(one.id));
                let id = self.result_identity(&many_id, Some(one.id));
                self.match_pair(group, id, |step| {
                    let element = Element::at(one, step)?;
                    (!matched.has(step)).then_some((Element::Float(value), element))
                });
            }
        }
    }

    /// Who the result of two series is. `one` is `None` where nothing is taken over from it.
    fn result_identity(&self, many: &Identity, one: Option<&Identity>) -> Identity {
        let matching = &self.join.matching;
        let drops_name = changes_meaning(self.join.op) || (self.join.returns_bool && self.naming == Naming::Eager);
        let changes_labels =
            matching.cardinality == Cardinality::OneToOne && (matching.on || !matching.labels.is_empty());
        if !changes_labels && matching.include.is_empty() {
            let mut id = Identity::marked(many.labels(), self.join.returns_bool && self.naming == Naming::Delayed);
            if drops_name {
                id.drop_name(Naming::Eager);
            }
            return id;
        }
        let mut labels = LabelsBuilder::from(many.labels());
        if drops_name {
            METADATA_LABELS.iter().for_each(|name| {
                labels.remove(name);
            });
        }
        if matching.cardinality == Cardinality::OneToOne {
            labels.retain(|name, _| matching.labels.iter().any(|label| label == name) == matching.on);
        }
        for name in &matching.include {
            labels.set(name, one.map_or("", |one| one.value(name)));
        }
        Identity::marked(labels.build(), self.join.returns_bool && self.naming == Naming::Delayed)
    }
}

impl Matched {
    fn has(&self, step: usize) -> bool {
        self.steps.get(step).copied().unwrap_or_default()
    }
}

fn several_matches(cardinality: Cardinality) -> QueryError {
    let why = if cardinality == Cardinality::OneToOne {
        "many-to-one matching must be explicit (group_left/group_right)"
    } else {
        "grouping labels must ensure unique matches"
    };
    QueryError::Execution(format!("multiple matches for labels: {why}"))
}

/// Applies the operator, and keeps what is to be remarked.
fn evaluate(join: &Join, left: Element<'_>, right: Element<'_>, step: usize, remarks: &mut LastRemarks) -> Combined {
    let (combined, remark) = combine_elements(join.op, left, right);
    if let Some(remark) = remark {
        remarks.set(step, join.span, remark);
    }
    combined
}

fn write(join: &Join, combined: Combined, step: usize, row: &mut NewRow<'_>) {
    if join.returns_bool {
        row.set(step, combined.to_bool());
        return;
    }
    match combined {
        Combined::Float(value) => row.set(step, value),
        Combined::Histogram(histogram) => row.push_histogram(step, histogram),
        Combined::Filtered | Combined::Nothing => {}
    }
}

/// The steps at which both series may have a float; none if they do not overlap.
fn overlap(a: Row<'_>, b: Row<'_>) -> std::ops::Range<usize> {
    let end = (a.first + a.floats.len()).min(b.first + b.floats.len());
    let start = a.first.max(b.first);
    if start < end { start..end } else { 0..0 }
}

/// The steps of a series, ascending.
fn steps_in_order(row: Row<'_>) -> Vec<usize> {
    let mut steps: Vec<usize> = row.present_steps().collect();
    if !row.histograms.is_empty() {
        steps.sort_unstable();
    }
    steps
}
