//! Queries with a part less.

use promql::ast::{Fill, Grouping, NumberLiteral, TimeShift};
use promql::{Descend, Expr, ParseOptions, ValueType};

/// Queries that are simpler than this one by a step, those first that lack most.
pub(super) fn queries(query: &str) -> Vec<String> {
    let Ok(expr) = promql::parse(query, &ParseOptions::ALL) else { return Vec::new() };
    let mut parts = Vec::new();
    expr.walk(&mut |part, _| {
        parts.push(part.clone());
        Descend::Into
    });
    // Some part alone.
    let mut simpler: Vec<Expr> = parts[1..].to_vec();
    for (at, part) in parts.iter().enumerate() {
        for smaller in instead_of(part) {
            let mut whole = expr.clone();
            put(&mut whole, at, smaller);
            simpler.push(whole);
        }
    }
    let mut texts: Vec<String> = simpler.iter().map(Expr::to_string).collect();
    texts.retain(|text| text.len() < query.len());
    texts.sort_by_key(String::len);
    texts.dedup();
    texts
}

/// Puts an expression in the place of the `at`th part, outer before inner.
fn put(whole: &mut Expr, at: usize, smaller: Expr) {
    let (mut left, mut smaller) = (at, Some(smaller));
    whole.walk_mut(&mut |part| {
        if left == 0 {
            if let Some(smaller) = smaller.take() {
                *part = smaller;
            }
            return Descend::Stop;
        }
        left -= 1;
        Descend::Into
    });
}

/// What may stand instead of an expression.
fn instead_of(expr: &Expr) -> Vec<Expr> {
    let mut instead = Vec::new();
    expr.walk(&mut |part, around| {
        if !around.is_empty() && part.value_type() == expr.value_type() {
            instead.push(part.clone());
        }
        Descend::Into
    });
    if expr.value_type() == ValueType::Scalar && !matches!(expr, Expr::Number(_)) {
        instead.push(Expr::Number(NumberLiteral { value: 1.0, is_duration: false, span: expr.span() }));
    }
    let mut add = |change: &dyn Fn(&mut Expr)| {
        let mut changed = expr.clone();
        change(&mut changed);
        if changed != *expr {
            instead.push(changed);
        }
    };
    add(&|expr| {
        if let Some(shift) = expr.shift_mut() {
            *shift = TimeShift { at: None, ..shift.clone() };
        }
    });
    add(&|expr| {
        if let Some(shift) = expr.shift_mut() {
            *shift = TimeShift { at: shift.at, ..TimeShift::default() };
        }
    });
    for at in 0..expr.selector().map_or(0, |selector| selector.matchers.len()) {
        add(&|expr| {
            if let Expr::Vector(selector) | Expr::Matrix(promql::ast::MatrixSelector { selector, .. }) = expr {
                selector.matchers.remove(at);
            }
        });
    }
    add(&|expr| match expr {
        Expr::Vector(selector) | Expr::Matrix(promql::ast::MatrixSelector { selector, .. }) => {
            selector.extension = None
        }
        Expr::Aggregation(aggregation) => aggregation.grouping = Grouping::default(),
        Expr::Binary(binary) => {
            binary.returns_bool = false;
            if let Some(matching) = &mut binary.matching {
                matching.fill = Fill::default();
            }
        }
        _ => {}
    });
    add(&|expr| match expr {
        Expr::Aggregation(aggregation) => drop(aggregation.grouping.labels.pop()),
        Expr::Binary(binary) => {
            if let Some(matching) = &mut binary.matching {
                matching.include.clear();
                matching.labels.pop();
            }
        }
        _ => {}
    });
    instead
}
