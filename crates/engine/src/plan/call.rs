//! Calls of functions that make a vector.

use promql::ast::Call;
use promql::{Expr, ValueType};
use series::QueryError;

use super::builder::{Builder, Pipe};
use super::label::{label_operation, labels_of_absent, text_of};
use super::{Operation, SinkPlan, Source};
use crate::annotation::Remark;
use crate::arithmetic::MathFunction;
use crate::date::DatePart;
use crate::identity::Identity;
use crate::ledger::{NodeId, NodeKind, ScopeId};
use crate::range::RangeFunction;
use crate::read::Reading;
use crate::scalar::ScalarExpr;
use crate::vector::sort::SortBy;
use crate::vector::{HistogramFunction, RowOp};

impl Builder {
    pub(super) fn call(&mut self, call: &Call, scope: ScopeId) -> Result<Pipe, QueryError> {
        let around = self.around;
        self.around.function = call.function.name;
        match call.function.name {
            "histogram_count" | "histogram_sum" | "histogram_avg" => self.around.wants_statistics = true,
            "histogram_quantile"
            | "histogram_quantiles"
            | "histogram_fraction"
            | "histogram_stddev"
            | "histogram_stdvar" => self.around.wants_buckets = true,
            _ => {}
        }
        let pipe = self.call_of(call, scope);
        self.around = around;
        pipe
    }

    fn call_of(&mut self, call: &Call, scope: ScopeId) -> Result<Pipe, QueryError> {
        let name = call.function.name;
        if let Some(function) = RangeFunction::find(name) {
            return self.range_function(function, call, scope);
        }
        match name {
            "absent" => self.absent(call, scope),
            "timestamp" | "start_timestamp" => self.times_of(call, scope),
            "vector" => {
                let (value, operand) = self.scalar(arg(call, 0)?, scope)?;
                let node = self.node(NodeKind::Vector, vec![operand], scope);
                Ok(self.scalar_as_vector(value, node, scope))
            }
            "info" => self.info(call, scope),
            "sort" | "sort_desc" | "sort_by_label" | "sort_by_label_desc" => self.sort(call, scope),
            "histogram_quantile" | "histogram_quantiles" | "histogram_fraction" => self.histogram_function(call, scope),
            "label_replace" | "label_join" => {
                let op = label_operation(name, &call.args)?;
                let mut pipe = self.vector(arg(call, 0)?, scope)?;
                let grid = self.grid(scope);
                pipe.operations.extend(op.map(|op| Operation { op, grid, node: None }));
                Ok(pipe)
            }
            _ => self.on_each_series(call, scope),
        }
    }

    /// A function of each series by itself, with scalars as further arguments.
    fn on_each_series(&mut self, call: &Call, scope: ScopeId) -> Result<Pipe, QueryError> {
        let name = call.function.name;
        if let (Some(part), []) = (DatePart::find(name), call.args.as_slice()) {
            let node = self.node(NodeKind::Vector, Vec::new(), scope);
            let mut pipe = self.scalar_as_vector(ScalarExpr::Time, node, scope);
            pipe.operations.push(Operation { op: RowOp::Date(part), grid: self.grid(scope), node: None });
            return Ok(pipe);
        }
        let mut pipe = self.vector(arg(call, 0)?, scope)?;
        for scalar in &call.args[1..] {
            pipe = self.settled_before(scalar, pipe);
        }
        let mut scalars = Vec::new();
        let mut operands: Vec<NodeId> = vec![pipe.node];
        for arg in &call.args[1..] {
            let (scalar, node) = self.scalar(arg.without_parens(), scope)?;
            scalars.push(scalar);
            operands.push(node);
        }
        let op = row_operation(name, scalars)
            .ok_or_else(|| QueryError::Execution(format!("{name} is no function that makes a vector")))?;
        Ok(self.operate(pipe, op, operands, scope))
    }

    fn scalar_as_vector(&mut self, value: ScalarExpr, node: NodeId, scope: ScopeId) -> Pipe {
        let grid = self.grid(scope);
        Pipe::new(Source::Vector(value), grid, node)
    }

    fn absent(&mut self, call: &Call, scope: ScopeId) -> Result<Pipe, QueryError> {
        let pipe = self.vector(arg(call, 0)?, scope)?;
        let node = self.node(NodeKind::Vector, vec![pipe.node], scope);
        Ok(self.through(pipe, SinkPlan::Absent(Identity::new(labels_of_absent(&call.args))), node))
    }

    /// The times of samples if the argument is a selector, else those of the steps.
    fn times_of(&mut self, call: &Call, scope: ScopeId) -> Result<Pipe, QueryError> {
        let is_start = call.function.name == "start_timestamp";
        let argument = arg(call, 0)?;
        if let Expr::Vector(selector) = argument
            && (!is_start || self.settings.use_start_times)
        {
            let what = if is_start { Reading::StartTime } else { Reading::Time };
            return Ok(self.sample_times(selector, what, scope));
        }
        let pipe = self.vector(argument, scope)?;
        let operands = vec![pipe.node];
        Ok(self.operate(pipe, if is_start { RowOp::Nothing } else { RowOp::Time }, operands, scope))
    }

    /// Sorts the result of an instant query. Range queries sort by labels whatever they are asked.
    fn sort(&mut self, call: &Call, scope: ScopeId) -> Result<Pipe, QueryError> {
        let name = call.function.name;
        let pipe = self.vector(arg(call, 0)?, scope)?;
        let labels: Vec<String> = call.args[1..].iter().map(|arg| text_of(arg).to_owned()).collect();
        let is_by_value = !name.starts_with("sort_by_label");
        let is_range = self.is_range(scope);
        let remark = is_range.then_some((call.span, Remark::IneffectiveSort));
        let operands = vec![pipe.node];
        let pipe = self.operate(pipe, RowOp::Pass { only_floats: is_by_value, remark }, operands, scope);
        if self.grid(scope).len() > 1 {
            return Ok(pipe);
        }
        let node = pipe.node;
        let sort = SortBy { labels: (!is_by_value).then_some(labels), is_descending: name.ends_with("_desc") };
        Ok(self.through(pipe, SinkPlan::Sort(sort), node))
    }
}

/// The function of each series that has this name.
fn row_operation(name: &str, scalars: Vec<ScalarExpr>) -> Option<RowOp> {
    if let Some(function) = MathFunction::find(name) {
        return Some(RowOp::Math(function));
    }
    if let Some(part) = DatePart::find(name) {
        return Some(RowOp::Date(part));
    }
    if let Some(function) = HistogramFunction::find(name) {
        return Some(RowOp::Histogram(function));
    }
    let infinity = ScalarExpr::Constant(f64::INFINITY);
    let mut scalars = scalars.into_iter();
    let mut next = || scalars.next();
    Some(match name {
        "round" => RowOp::Round(next().unwrap_or(ScalarExpr::Constant(1.0))),
        "clamp" => RowOp::Clamp(next()?, next()?),
        "clamp_min" => RowOp::Clamp(next()?, infinity),
        "clamp_max" => RowOp::Clamp(infinity.negated(), next()?),
        _ => return None,
    })
}

/// An argument, without the parentheses around it.
fn arg(call: &Call, at: usize) -> Result<&Expr, QueryError> {
    let arg = call.args.get(at).map(Expr::without_parens).filter(|arg| arg.value_type() != ValueType::String);
    arg.ok_or_else(|| QueryError::Execution(format!("{} was given too few arguments", call.function.name)))
}
