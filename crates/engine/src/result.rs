//! What an engine answers.

use std::sync::Arc;

use model::{Histogram, Labels};
use series::Charge;

use crate::{Annotation, Matrix, Statistics};

/// The answer to a query. What it holds is charged to the query's budget until it is dropped.
#[derive(Debug)]
pub struct QueryResult {
    /// What the expression is.
    pub value: Value,
    /// What should be known beside it, in the order in which Prometheus collects it; no text twice.
    pub annotations: Vec<Annotation>,
    /// What it took.
    pub statistics: Statistics,
    pub(crate) charge: Charge,
}

/// What an expression is. Range queries always answer a matrix.
#[derive(Clone, Debug)]
pub enum Value {
    /// A number.
    Scalar(f64),
    /// A text.
    String(String),
    /// Series with one value each, at the time of the query. No order, unless the outermost function has one.
    Vector(Vec<VectorSample>),
    /// Series with values at many times, sorted by labels.
    Matrix(Matrix),
}

/// A series with one value.
#[derive(Clone, Debug)]
pub struct VectorSample {
    /// Who it is.
    pub labels: Labels,
    /// Its value.
    pub value: model::Value,
}

/// A series with values at many times. No time is in both columns.
#[derive(Clone, Debug)]
pub struct MatrixSeries {
    /// Who it is.
    pub labels: Labels,
    /// Times in ms and values, ascending.
    pub floats: Vec<(i64, f64)>,
    /// The same for histograms.
    pub histograms: Vec<(i64, Arc<Histogram>)>,
}

impl QueryResult {
    /// How many bytes of the budget it holds.
    pub fn size_bytes(&self) -> u64 {
        self.charge.bytes()
    }
}
