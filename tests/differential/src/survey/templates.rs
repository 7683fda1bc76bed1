//! Queries with placeholders, as the compliance tests of Prometheus have them.

use yaml::record;

record! {
    /// A collection of templates.
    struct Templates: "differential.Templates" {
        /// The templates.
        test_cases: Vec<Template>,
    }
}

record! {
    /// A query with placeholders such as `{{.range}}`.
    struct Template: "differential.Template" {
        /// The query.
        query: String,
        /// Which placeholders it has.
        variant_args: Vec<String>,
        /// Whether it is wrong.
        should_fail: bool,
        /// Whether the answer changes from run to run.
        skip_comparison: bool,
    }
}

const ARITHMETIC: [&str; 6] = ["+", "-", "*", "/", "%", "^"];
const COMPARISONS: [&str; 6] = ["==", "!=", "<", ">", "<=", ">="];

/// All queries of a collection of templates: each with every combination of what its placeholders may stand for.
///
/// # Errors
/// If it is none, or has a placeholder that nobody knows, in words.
pub fn expand(text: &str) -> Result<Vec<String>, String> {
    let templates: Templates = yaml::from_text(text).map_err(|mistakes| mistakes.to_string())?;
    let mut queries = Vec::new();
    for template in templates.test_cases {
        let mut expanded = vec![template.query];
        for arg in &template.variant_args {
            let values = values_of(arg).ok_or_else(|| format!("unknown placeholder {arg}"))?;
            let placeholder = format!("{{{{.{arg}}}}}");
            expanded = expanded
                .iter()
                .flat_map(|query| values.iter().map(|value| query.replace(&placeholder, value)))
                .collect();
        }
        queries.extend(expanded);
    }
    Ok(queries)
}

/// What a placeholder may stand for.
fn values_of(placeholder: &str) -> Option<Vec<&'static str>> {
    let values: &[&str] = match placeholder {
        "range" => &["1s", "15s", "1m", "5m", "15m", "1h"],
        "offset" => &["1m", "5m", "10m"],
        "simpleAggrOp" => &["sum", "avg", "max", "min", "count", "stddev", "stdvar"],
        "simpleTimeAggrOp" => &["sum", "avg", "max", "min", "count", "stddev", "stdvar", "absent", "last"],
        "topBottomOp" => &["topk", "bottomk"],
        "quantile" => &["-0.5", "0.1", "0.5", "0.75", "0.95", "0.90", "0.99", "1", "1.5"],
        "arithBinOp" => &ARITHMETIC,
        "compBinOp" => &COMPARISONS,
        "binOp" => return Some([ARITHMETIC, COMPARISONS].concat()),
        "simpleMathFunc" => &["abs", "ceil", "floor", "exp", "sqrt", "ln", "log2", "log10", "round"],
        "extrapolatedRateFunc" => &["delta", "rate", "increase"],
        "clampFunc" => &["clamp_min", "clamp_max"],
        "instantRateFunc" => &["idelta", "irate"],
        "dateFunc" => &["day_of_month", "day_of_week", "days_in_month", "hour", "minute", "month", "year"],
        "smoothingFactor" | "trendFactor" => &["0.1", "0.5", "0.8"],
        _ => return None,
    };
    Some(values.to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_combination_is_a_query() {
        let text = "test_cases:\n- query: '{{.topBottomOp}}(1, a offset {{.offset}})'\n  variant_args: [topBottomOp, offset]\n- query: 1\n";
        let queries = expand(text).unwrap();
        assert_eq!((queries.len(), queries[1].as_str()), (7, "topk(1, a offset 5m)"));
        assert!(expand("test_cases:\n- query: a\n  variant_args: [b]\n").is_err());
    }
}
