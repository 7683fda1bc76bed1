//! Which series belong to one group.

use std::collections::HashMap;

use foldhash::fast::RandomState;
use model::{Labels, METRIC_NAME};
use promql::ast::Grouping;
use series::{FoldedGroup, FoldedName};

use crate::identity::Identity;
use crate::table::{ABSENT, HistogramAt, Row, Table, is_present};

/// The groups of an aggregation, numbered in the order in which they appear.
#[derive(Debug)]
pub(crate) struct Groups {
    grouping: SortedGrouping,
    /// How many steps the columns of a group have.
    steps: usize,
    numbers: HashMap<Box<[u8]>, usize, RandomState>,
    groups: Vec<Group>,
    /// The key and the number of the last series: the next one is often of the same group.
    last: Option<usize>,
    last_key: Vec<u8>,
    key: Vec<u8>,
    label_bytes: usize,
    /// Who the first series of each group is, if somebody wants to know.
    firsts: Option<Vec<(Labels, FoldedName)>>,
}

#[derive(Debug)]
struct Group {
    labels: Labels,
    /// The last step with a value, and whether the name of one of the series that have it goes at the end.
    last: (usize, bool),
}

/// A grouping whose labels are sorted.
#[derive(Debug)]
pub(super) struct SortedGrouping {
    names: Vec<String>,
    without: bool,
}

impl SortedGrouping {
    pub(super) fn new(grouping: &Grouping) -> Self {
        let mut names = grouping.labels.clone();
        names.sort_unstable();
        names.dedup();
        Self { names, without: grouping.without }
    }

    fn keeps(&self, name: &str) -> bool {
        let is_named = self.names.binary_search_by(|other| other.as_str().cmp(name)).is_ok();
        if self.without { !is_named && name != METRIC_NAME } else { is_named }
    }

    /// The labels of the group of a series.
    pub(super) fn labels_of<'a>(&self, pairs: impl Iterator<Item = (&'a str, &'a str)>) -> Labels {
        Labels::from_sorted(pairs.filter(|(name, _)| self.keeps(name)))
    }

    /// Writes what tells the group of a series from others. No text has the bytes that end names and values.
    fn write_key(&self, id: &Identity, key: &mut Vec<u8>) {
        key.clear();
        if self.names.is_empty() && !self.without {
            return;
        }
        for (name, value) in id.iter() {
            if self.keeps(name) {
                key.extend_from_slice(name.as_bytes());
                key.push(0xfe);
                key.extend_from_slice(value.as_bytes());
                key.push(0xff);
            }
        }
    }
}

impl Groups {
    pub(crate) fn new(grouping: &Grouping, steps: usize) -> Self {
        Self {
            grouping: SortedGrouping::new(grouping),
            steps,
            numbers: HashMap::default(),
            groups: Vec::new(),
            last: None,
            last_key: Vec::new(),
            key: Vec::new(),
            label_bytes: 0,
            firsts: None,
        }
    }

    /// Groups that remember which series was their first, so that they can be put together with groups of other series.
    pub(crate) fn keep_firsts(self) -> Self {
        Self { firsts: Some(Vec::new()), ..self }
    }

    pub(super) fn len(&self) -> usize {
        self.groups.len()
    }

    pub(super) fn steps(&self) -> usize {
        self.steps
    }

    /// The number of the group of a series.
    pub(super) fn number_of(&mut self, row: Row<'_>) -> usize {
        self.grouping.write_key(row.id, &mut self.key);
        let number = match self.last {
            Some(last) if self.last_key == self.key => last,
            _ => self.find(row.id),
        };
        let (last_step, is_to_drop) = (row.last_step(), row.id.is_to_drop());
        let last = &mut self.groups[number].last;
        if last_step > last.0 {
            *last = (last_step, is_to_drop);
        } else if last_step == last.0 {
            last.1 |= is_to_drop;
        }
        number
    }

    /// The number of the group to which series belong that were put together elsewhere.
    pub(super) fn number_of_folded(&mut self, group: &FoldedGroup) -> usize {
        let id = Identity::of_folded(group.labels.clone(), group.name);
        let floats = group.columns.first().map_or(&[][..], Vec::as_slice);
        self.number_of(Row { id: &id, first: group.first_step as usize, floats, histograms: &[] })
    }

    fn find(&mut self, id: &Identity) -> usize {
        let number = match self.numbers.get(&*self.key) {
            Some(number) => *number,
            None => {
                let number = self.groups.len();
                let labels = self.grouping.labels_of(id.iter());
                self.label_bytes += labels.size_bytes() + self.key.len();
                self.numbers.insert(self.key.as_slice().into(), number);
                self.groups.push(Group { labels, last: (0, false) });
                if let Some(firsts) = &mut self.firsts {
                    self.label_bytes += id.size_bytes();
                    firsts.push(id.to_folded());
                }
                number
            }
        };
        self.last = Some(number);
        std::mem::swap(&mut self.last_key, &mut self.key);
        number
    }

    /// A series for each group, with a float or [`ABSENT`] for each step.
    pub(super) fn into_table(self, mut floats: impl FnMut(usize) -> Vec<f64>) -> Table {
        self.into_table_with(|group| (floats(group), Vec::new()))
    }

    /// A series for each group, with histograms beside the floats.
    pub(super) fn into_table_with(self, mut values: impl FnMut(usize) -> (Vec<f64>, Vec<HistogramAt>)) -> Table {
        let mut table = Table::new();
        for (number, group) in self.groups.into_iter().enumerate() {
            let (floats, histograms) = values(number);
            table.push_column(Identity::marked(group.labels, group.last.1), floats, histograms);
        }
        table
    }

    /// The groups with their columns, to be put together with those of other series. `None` if first series are not kept.
    pub(super) fn into_folded(self, mut columns: impl FnMut(usize) -> Vec<Vec<f64>>) -> Option<Vec<FoldedGroup>> {
        let fold = |(number, (labels, name)): (usize, (Labels, FoldedName))| {
            let mut columns = columns(number);
            let is_there = |value: &f64| is_present(*value);
            let first = columns.first().and_then(|values| values.iter().position(is_there)).unwrap_or_default();
            let end =
                columns.first().and_then(|values| values.iter().rposition(is_there)).map_or(first, |last| last + 1);
            for column in &mut columns {
                column.truncate(end);
                column.drain(..first.min(column.len()));
            }
            FoldedGroup { labels, name, first_step: first as u32, columns }
        };
        Some(self.firsts?.into_iter().enumerate().map(fold).collect())
    }

    pub(super) fn size_bytes(&self) -> usize {
        self.label_bytes + self.groups.len() * (size_of::<Group>() + 64)
    }
}

/// A value for each group and step: a number, or what comes to one.
#[derive(Debug)]
pub(super) struct Columns<T = f64> {
    steps: usize,
    /// One after the other on their own: many groups never have to be moved to make room for more. Those that nobody looked at
    /// are not there.
    values: Vec<Option<Box<[T]>>>,
    /// What stands where there is nothing yet.
    empty: T,
    /// How many are there.
    present: usize,
}

impl Columns {
    /// Columns with nothing in them.
    pub(super) fn absent(steps: usize) -> Self {
        Self::of_empty(steps, ABSENT)
    }

    /// Columns of zeros.
    pub(super) fn zero(steps: usize) -> Self {
        Self::of_empty(steps, 0.0)
    }

    /// The number of a group at a step.
    pub(super) fn at(&self, group: usize, step: usize) -> f64 {
        self.get(group).and_then(|column| column.get(step)).copied().unwrap_or(self.empty)
    }
}

impl<T: Copy> Columns<T> {
    /// Columns of so many steps that have this everywhere.
    pub(super) fn of_empty(steps: usize, empty: T) -> Self {
        Self { steps, values: Vec::new(), empty, present: 0 }
    }

    /// The column of a group.
    pub(super) fn of(&mut self, group: usize) -> &mut [T] {
        let (steps, empty) = (self.steps, self.empty);
        if self.get(group).is_none() {
            self.present += 1;
        }
        self.slot(group).get_or_insert_with(|| vec![empty; steps].into())
    }

    /// The column of a group that somebody looked at before.
    pub(super) fn get(&self, group: usize) -> Option<&[T]> {
        self.values.get(group)?.as_deref()
    }

    /// Sets what the column of a group has from a step on; nobody looked at it before.
    pub(super) fn set(&mut self, group: usize, first: usize, part: Vec<T>) {
        if part.len() == self.steps {
            self.present += 1;
            *self.slot(group) = Some(part.into());
        } else {
            self.of(group)[first..first + part.len()].copy_from_slice(&part);
        }
    }

    /// The column of a group, of which nothing is left behind.
    pub(super) fn take(&mut self, group: usize) -> Vec<T> {
        self.take_seen(group).unwrap_or_else(|| vec![self.empty; self.steps])
    }

    /// The same, if somebody looked at it before.
    pub(super) fn take_seen(&mut self, group: usize) -> Option<Vec<T>> {
        let column = self.values.get_mut(group)?.take()?;
        self.present -= 1;
        Some(column.into_vec())
    }

    pub(super) fn size_bytes(&self) -> usize {
        self.present * self.steps * size_of::<T>() + self.values.capacity() * size_of::<Option<Box<[T]>>>()
    }

    fn slot(&mut self, group: usize) -> &mut Option<Box<[T]>> {
        if self.values.len() <= group {
            self.values.resize_with(group + 1, || None);
        }
        &mut self.values[group]
    }
}
