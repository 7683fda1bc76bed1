//! Where answers may differ, and nobody minds.

use engine::QueryTimes;
use promql::{AggregateOp, Descend, Expr, ParseOptions, Sign, ValueType};

use crate::Case;

/// Whether our answer may differ from that of Prometheus:
///
/// - where the last digits of numbers decide, which differ between libraries of mathematics: powers as remainders, as
///   angles, as dates or as labels;
/// - where a unary minus, `label_replace` or `label_join` makes one series of a float and a histogram: what is around sees
///   one of them, to us they remain two;
/// - where what is sorted by labels that some series lack is used further: Prometheus leaves those anywhere;
/// - where a quantile or fraction of a native histogram falls into the zero bucket: whether there are negative or positive
///   buckets beside it decides then, and Prometheus' chunks give a histogram empty ones that its neighbours have;
/// - where `count_values` is given a histogram of custom buckets that was multiplied by NaN or by infinity: Prometheus panics,
///   since the zero bucket, which it does not have, is not empty then;
/// - where the parameter of an aggregation has an `@`: from the second step of a range on Prometheus looks further and
///   further behind that time.
pub(crate) fn may_differ(case: &Case) -> bool {
    let Ok(expr) = promql::parse(&case.query, &ParseOptions::ALL) else { return false };
    let has_points_with = |text: &str| {
        case.data.series.iter().any(|series| series.points.iter().flatten().any(|point| point.contains(text)))
    };
    let has_histograms = has_points_with("{");
    let is_range = matches!(case.times, QueryTimes::Range { .. });
    let mut may = is_chaotic(&case.query);
    expr.walk(&mut |part, around| {
        may |= match part {
            Expr::Unary(unary) => has_histograms && unary.sign == Sign::Minus && part.value_type() == ValueType::Vector,
            Expr::Call(call) if ["label_replace", "label_join"].contains(&call.function.name) => has_histograms,
            Expr::Call(call) if call.function.name.starts_with("sort_by_label") => !around.is_empty(),
            Expr::Call(call) => {
                ["histogram_quantile", "histogram_quantiles", "histogram_fraction"].contains(&call.function.name)
                    && case.data.series.iter().any(|series| changes_sides(&series.points))
            }
            Expr::Aggregation(aggregation) if aggregation.op == AggregateOp::CountValues => {
                has_points_with("custom_values")
            }
            Expr::Aggregation(aggregation) => {
                let is_ranging = is_range || around.iter().any(|expr| matches!(expr, Expr::Subquery(_)));
                is_ranging && aggregation.param.as_deref().is_some_and(has_fixed_time)
            }
            _ => false,
        };
        Descend::Into
    });
    may
}

/// Whether only some histograms of a series have negative buckets, or positive ones.
fn changes_sides(points: &[Option<String>]) -> bool {
    let histograms = || points.iter().flatten().filter(|point| point.starts_with('{'));
    [" n_buckets:", " buckets:"].iter().any(|side| {
        histograms().any(|histogram| histogram.contains(side)) && !histograms().all(|point| point.contains(side))
    })
}

fn is_chaotic(query: &str) -> bool {
    let has = |texts: &[&str]| texts.iter().any(|text| query.contains(text));
    let is_inexact =
        has(&["^", "atan2", "sin", "cos", "tan", "exp(", "ln(", "log", "quantile", "histogram", "</", ">/"]);
    let is_steep = has(&["^", "sinh(", "cosh(", "exp(", "atan2"])
        && has(&["%", "sin(", "cos(", "tan(", "minute(", "hour(", "day", "month(", "year("]);
    is_steep || (is_inexact && has(&["count_values"]))
}

fn has_fixed_time(expr: &Expr) -> bool {
    let mut has = false;
    expr.walk(&mut |part, _| {
        has |= part.shift().is_some_and(|shift| shift.at.is_some());
        Descend::Into
    });
    has
}
