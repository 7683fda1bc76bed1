//! From the outcome of a plan to an answer.

use model::Labels;
use series::{Charge, QueryError};
use stdx::Clock;

use super::outputs::Charged;
use super::{Carried, RootOutput};
use crate::annotation::Annotation;
use crate::grid::Grid;
use crate::matrix::Matrix;
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
            Value::Matrix(series.into_iter().collect())
        }
        RootOutput::Scalar(values) if is_instant => Value::Scalar(values.first().copied().unwrap_or(f64::NAN)),
        RootOutput::Scalar(values) => {
            let floats = grid.times().zip(values).collect();
            let series = MatrixSeries { labels: Labels::empty(), floats, histograms: Vec::new() };
            Value::Matrix(std::iter::once(series).collect())
        }
        RootOutput::Table(Charged { table, .. }) if is_instant && !matches!(plan.root, Root::Subquery(..)) => {
            Value::Vector(into_vector(&table)?)
        }
        RootOutput::Table(Charged { table, .. }) => Value::Matrix(Matrix::of_table(table, grid)?),
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

/// About how many bytes a result takes in memory.
fn size_bytes(value: &Value) -> u64 {
    let bytes = match value {
        Value::Scalar(_) => 8,
        Value::String(text) => text.len(),
        Value::Vector(vector) => vector.iter().map(|sample| sample.labels.size_bytes() + 32).sum(),
        Value::Matrix(matrix) => matrix.size_bytes(),
    };
    bytes as u64
}
