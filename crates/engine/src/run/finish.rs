//! From the outcome of a plan to an answer.

use model::Labels;
use series::{Charge, QueryError};
use stdx::Clock;

use super::outputs::Charged;
use super::{Carried, RootOutput};
use crate::annotation::Annotation;
use crate::grid::Grid;
use crate::plan::{Plan, Root};
use crate::query::{QueryRequest, QueryTimes};
use crate::result::{MatrixSeries, Value, VectorSample};
use crate::statistics::Statistics;
use crate::table::Table;
use crate::unique::same_labels;

/// The parts of a result that do not depend on the clock.
pub(crate) struct Answer {
    pub(crate) value: Value,
    pub(crate) annotations: Vec<Annotation>,
    pub(crate) statistics: Statistics,
    pub(crate) charge: Charge,
}

/// Makes an answer of what a plan came to.
///
/// # Errors
/// If two series of the result have the same labels at the same time, or the result is too big.
pub(crate) fn into_answer(
    carried: Carried,
    plan: &Plan,
    request: &QueryRequest,
    max_samples: u64,
    clock: &Clock,
) -> Result<Answer, QueryError> {
    let Carried { output, ledger, raw_reads } = carried;
    let settlement = ledger.settle(&plan.nodes, &plan.scopes);
    let mut reads = settlement.reads;
    let mut peak_samples = settlement.peak_samples;
    if let Some(raw) = raw_reads {
        peak_samples = raw.queryable.iter().sum();
        reads.absorb(&raw);
    }
    if peak_samples > max_samples {
        return Err(QueryError::TooManySamples);
    }
    let grid = plan.scopes[0].grid;
    let by_step = |counts: &[u64]| grid.times().zip(counts.iter().copied()).collect();
    let mut statistics = Statistics {
        queryable_samples: reads.queryable.iter().sum(),
        samples_read: reads.new.iter().sum(),
        peak_samples,
        queryable_samples_by_step: by_step(&reads.queryable),
        samples_read_by_step: by_step(&reads.new),
        ..Statistics::default()
    };
    let value_grid = match plan.root {
        Root::Subquery(_, steps) => steps,
        _ => grid,
    };
    let before_sorting = clock.now();
    let value = into_value(output, request.times, value_grid, plan)?;
    statistics.timings.result_sort = clock.now().saturating_duration_since(before_sorting);
    let charge = request.budget.charge(size_bytes(&value), || "the result".to_owned())?;
    let annotations = settlement.annotations.render(&request.text);
    Ok(Answer { value, annotations, statistics, charge })
}

fn into_value(output: RootOutput, times: QueryTimes, grid: Grid, plan: &Plan) -> Result<Value, QueryError> {
    let is_instant = matches!(times, QueryTimes::Instant(_));
    Ok(match output {
        RootOutput::String(text) => Value::String(text),
        RootOutput::Samples(mut series) => {
            series.sort_by(|a, b| a.labels.cmp(&b.labels));
            Value::Matrix(series)
        }
        RootOutput::Scalar(values) if is_instant => Value::Scalar(values.first().copied().unwrap_or(f64::NAN)),
        RootOutput::Scalar(values) => {
            let floats = grid.times().zip(values).collect();
            Value::Matrix(vec![MatrixSeries { labels: Labels::empty(), floats, histograms: Vec::new() }])
        }
        RootOutput::Table(Charged { table, .. }) if is_instant && !matches!(plan.root, Root::Subquery(..)) => {
            Value::Vector(into_vector(&table)?)
        }
        RootOutput::Table(Charged { table, .. }) => Value::Matrix(into_matrix(&table, grid)?),
    })
}

/// The only value of each series.
fn into_vector(table: &Table) -> Result<Vec<VectorSample>, QueryError> {
    let mut vector = Vec::with_capacity(table.len());
    for row in table.rows() {
        let value = match row.present_floats().next() {
            Some((_, value)) => model::Value::Float(value),
            None => match row.histograms.first() {
                Some((_, histogram)) => model::Value::Histogram(histogram.clone()),
                None => continue,
            },
        };
        vector.push(VectorSample { labels: row.id.clone().into_labels(), value });
    }
    let mut order: Vec<usize> = (0..vector.len()).collect();
    order.sort_unstable_by(|a, b| vector[*a].labels.cmp(&vector[*b].labels));
    let mut hidden = Vec::new();
    for same in order.chunk_by(|a, b| vector[*a].labels == vector[*b].labels).filter(|same| same.len() > 1) {
        // Prometheus lets a float and a histogram be the same series, and shows the histogram.
        let is_float = |at: &&usize| matches!(vector[**at].value, model::Value::Float(_));
        match (same, same.iter().find(is_float)) {
            ([_, _], Some(float)) if same.iter().filter(is_float).count() == 1 => hidden.push(*float),
            _ => return Err(same_labels()),
        }
    }
    let mut at = 0..vector.len();
    vector.retain(|_| at.next().is_none_or(|at| !hidden.contains(&at)));
    Ok(vector)
}

/// The series sorted by labels, those with the same labels put together.
fn into_matrix(table: &Table, grid: Grid) -> Result<Vec<MatrixSeries>, QueryError> {
    let mut rows: Vec<(Labels, usize)> =
        table.rows().enumerate().map(|(at, row)| (row.id.clone().into_labels(), at)).collect();
    rows.sort_unstable();
    let mut matrix: Vec<MatrixSeries> = Vec::with_capacity(rows.len());
    for (labels, at) in rows {
        let row = table.row(at);
        let mut floats = Vec::with_capacity(row.floats.len());
        floats.extend(row.present_floats().map(|(step, value)| (grid.time(step), value)));
        let histograms: Vec<_> =
            row.histograms.iter().map(|(step, histogram)| (grid.time(*step as usize), histogram.clone())).collect();
        match matrix.last_mut().filter(|last| last.labels == labels) {
            None => matrix.push(MatrixSeries { labels, floats, histograms }),
            Some(last) => {
                last.floats.extend(floats);
                last.histograms.extend(histograms);
                put_in_order(last)?;
            }
        }
    }
    Ok(matrix)
}

/// # Errors
/// If a time comes twice among values of one kind.
fn put_in_order(series: &mut MatrixSeries) -> Result<(), QueryError> {
    series.floats.sort_by_key(|(time, _)| *time);
    series.histograms.sort_by_key(|(time, _)| *time);
    let has_twice = series.floats.windows(2).any(|pair| pair[0].0 == pair[1].0)
        || series.histograms.windows(2).any(|pair| pair[0].0 == pair[1].0);
    if has_twice { Err(same_labels()) } else { Ok(()) }
}

/// About how many bytes a result takes in memory.
fn size_bytes(value: &Value) -> u64 {
    let bytes = match value {
        Value::Scalar(_) => 8,
        Value::String(text) => text.len(),
        Value::Vector(vector) => vector.iter().map(|sample| sample.labels.size_bytes() + 32).sum(),
        Value::Matrix(matrix) => matrix.iter().map(series_bytes).sum(),
    };
    bytes as u64
}

fn series_bytes(series: &MatrixSeries) -> usize {
    let histograms: usize = series.histograms.iter().map(|(_, histogram)| histogram.size_bytes() + 16).sum();
    series.labels.size_bytes() + series.floats.len() * 16 + histograms + size_of::<MatrixSeries>()
}
