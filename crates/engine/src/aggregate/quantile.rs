//! `quantile`

use promql::Span;
use series::QueryError;

use super::Parameter;
use super::groups::Groups;
use crate::annotation::Remark;
use crate::ledger::Record;
use crate::quantile::quantile_of;
use crate::sink::{Output, Sink};
use crate::table::{ABSENT, Table, is_present};

/// A quantile of floats. All of them are held until the end.
pub(super) struct Quantile {
    groups: Groups,
    parameter: Parameter,
    series: Table,
    /// The series of each group.
    members: Vec<Vec<u32>>,
    span: Span,
}

impl Quantile {
    pub(super) fn new(groups: Groups, parameter: Parameter, span: Span) -> Self {
        Self { groups, parameter, series: Table::new(), members: Vec::new(), span }
    }
}

impl Sink for Quantile {
    fn fold(&mut self, table: Table, record: &mut Record) -> Result<(), QueryError> {
        for (at, row) in table.rows().enumerate() {
            if !row.histograms.is_empty() {
                record.annotations.add(self.span, Remark::IgnoredInAggregation("quantile"), "");
            }
            let group = self.groups.number_of(row);
            self.members.resize_with(self.groups.len(), Vec::new);
            self.members[group].push((self.series.len() + at) as u32);
        }
        self.series.append(table);
        Ok(())
    }

    fn finish(self: Box<Self>, _record: &mut Record) -> Result<Output, QueryError> {
        let Self { groups, parameter, series, members, .. } = *self;
        let (steps, mut values) = (groups.steps(), Vec::new());
        Ok(Output::Table(groups.into_table(|group| {
            let members: Vec<_> = members[group].iter().map(|at| series.row(*at as usize)).collect();
            let at = |step| {
                values.clear();
                values.extend(members.iter().map(|member| member.float(step)).filter(|value| is_present(*value)));
                if values.is_empty() { ABSENT } else { quantile_of(parameter.at(step), &mut values) }
            };
            (0..steps).map(at).collect()
        })))
    }

    fn size_bytes(&self) -> usize {
        self.groups.size_bytes() + self.series.size_bytes() + self.series.len() * size_of::<u32>()
    }
}
