//! Queries that must come to the same at any time.

use promql::ast::At;
use promql::{Descend, Expr, ParseOptions};

/// Functions that look at the time even if nothing else does.
const READ_THE_TIME: [&str; 15] = [
    "days_in_month",
    "day_of_month",
    "day_of_week",
    "day_of_year",
    "hour",
    "minute",
    "month",
    "year",
    "predict_linear",
    "time",
    "timestamp",
    "start",
    "end",
    "range",
    "step",
];

/// The query with every selector and subquery fixed to a time; `None` if its result depends on the time all the same.
pub(crate) fn fixed_to(query: &str, at_ms: i64) -> Option<String> {
    let mut expr = promql::parse(query, &ParseOptions::ALL).ok()?;
    let mut reads_time = false;
    expr.walk_mut(&mut |expr| {
        if let Expr::Call(call) = &*expr {
            reads_time |= READ_THE_TIME.contains(&call.function.name);
        }
        Descend::Into
    });
    if reads_time {
        return None;
    }
    expr.walk_mut(&mut |expr| {
        let is_subquery = matches!(expr, Expr::Subquery(_));
        if let Some(shift) = expr.shift_mut() {
            shift.at.get_or_insert(At::Time(at_ms));
        }
        // A subquery with a time of its own fixes the times of what is in it.
        if is_subquery { Descend::Over } else { Descend::Into }
    });
    // A text with bytes that are no UTF-8 can't be written back.
    Some(expr.to_string()).filter(|fixed| promql::parse(fixed, &ParseOptions::ALL).is_ok())
}

/// Whether the bounds of the query, which differ between instant and range queries, bear on the result.
pub(crate) fn reads_bounds(query: &str) -> bool {
    ["start()", "end()", "range()", "step()"].iter().any(|call| query.contains(call))
}
