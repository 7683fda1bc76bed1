//! Operators and aggregations.

use super::{Grammar, LABELS, Taste, label};
use promql::AggregateOp;

const AGGREGATIONS: [AggregateOp; 14] = [
    AggregateOp::Avg,
    AggregateOp::Bottomk,
    AggregateOp::Count,
    AggregateOp::CountValues,
    AggregateOp::Group,
    AggregateOp::Limitk,
    AggregateOp::LimitRatio,
    AggregateOp::Max,
    AggregateOp::Min,
    AggregateOp::Quantile,
    AggregateOp::Stddev,
    AggregateOp::Stdvar,
    AggregateOp::Sum,
    AggregateOp::Topk,
];

const ARITHMETIC: [&str; 9] = ["+", "-", "*", "/", "%", "^", "atan2", "</", ">/"];
const COMPARISONS: [&str; 6] = ["==", "!=", "<", "<=", ">", ">="];

impl Grammar<'_> {
    pub(super) fn aggregation(&mut self, depth: usize, taste: Taste) -> String {
        let op = AGGREGATIONS[self.dice.index(AGGREGATIONS.len())];
        let clause = match self.dice.index(5) {
            0..=1 => format!(" by {}", self.labels()),
            2 => format!(" without {}", self.labels()),
            _ => String::new(),
        };
        let param = match op {
            AggregateOp::CountValues => {
                let label = self.dice.pick(&["v", "job", "__name__", "my.label", "env"]);
                format!("{}, ", model::quote(label))
            }
            AggregateOp::LimitRatio if !self.dice.one_in(6) => format!("{:.2}, ", self.dice.unit() * 2.0 - 1.0),
            AggregateOp::Quantile if !self.dice.one_in(4) => format!("{:.2}, ", self.dice.unit()),
            _ if op.param_type().is_none() => String::new(),
            _ if self.dice.one_in(4) => format!("{}, ", self.scalar(depth)),
            _ => format!("{}, ", self.dice.within(0..5)),
        };
        format!("{op}{clause} ({param}{})", self.vector(depth, taste))
    }

    /// A vector and a scalar.
    pub(super) fn scalar_operation(&mut self, depth: usize, taste: Taste) -> String {
        let (op, bool) = if self.dice.one_in(2) {
            (self.dice.pick(&ARITHMETIC), "")
        } else {
            (self.dice.pick(&COMPARISONS), self.dice.pick(&["", " bool"]))
        };
        let (vector, scalar) = (self.vector(depth, taste), self.scalar(depth));
        if self.dice.one_in(2) {
            format!("({vector}) {op}{bool} {scalar}")
        } else {
            format!("{scalar} {op}{bool} ({vector})")
        }
    }

    /// Two vectors.
    pub(super) fn vector_operation(&mut self, depth: usize, taste: Taste) -> String {
        let left = self.vector(depth, taste);
        // Sides that have nothing to do with each other come to nothing, mostly.
        let right = if self.dice.one_in(2) { left.clone() } else { self.vector(depth, taste) };
        if self.dice.one_in(3) {
            let op = self.dice.pick(&["and", "or", "unless"]);
            let matching = if self.dice.one_in(2) { self.matching() } else { String::new() };
            return format!("({left}) {op}{matching} ({right})");
        }
        let (op, bool) = match self.dice.index(3) {
            0 => (self.dice.pick(&COMPARISONS), self.dice.pick(&["", " bool"])),
            _ => (self.dice.pick(&ARITHMETIC), ""),
        };
        let matching = if self.dice.one_in(3) { String::new() } else { self.matching() };
        let group = if matching.is_empty() || self.dice.one_in(2) {
            String::new()
        } else {
            let include = if self.dice.one_in(2) { self.labels() } else { String::new() };
            format!(" {}{include}", self.dice.pick(&["group_left", "group_right"]))
        };
        let fill = match self.dice.index(8) {
            0 => format!(" fill({})", self.fill_value()),
            1 => format!(" fill_left({})", self.fill_value()),
            2 => format!(" fill_right({}) fill_left({})", self.fill_value(), self.fill_value()),
            _ => String::new(),
        };
        format!("({left}) {op}{bool}{matching}{group}{fill} ({right})")
    }

    fn fill_value(&mut self) -> &'static str {
        self.dice.pick(&["0", "1", "-2.5", "NaN", "-Inf"])
    }

    fn matching(&mut self) -> String {
        if self.dice.one_in(3) {
            return format!(" ignoring {}", self.labels());
        }
        if self.dice.one_in(3) {
            return format!(" on {}", self.labels());
        }
        let names: Vec<String> = self.dice.some_of(&LABELS[..3]).into_iter().map(label).collect();
        format!(" on ({})", names.join(", "))
    }
}
