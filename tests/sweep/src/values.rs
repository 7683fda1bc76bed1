//! Values that are the same, but for what nobody promises: order, and the last digits.

use serde_json::Value;

/// How far numbers may be apart, as a part of them.
const EPSILON: f64 = 1e-6;

/// Sorts the members of a list that has no order.
pub(crate) fn sort(list: &mut Value) {
    if let Value::Array(members) = list {
        members.sort_by_cached_key(Value::to_string);
    }
}

/// Sorts the series of an instant vector by their labels.
pub(crate) fn sort_vector(result: &mut Value) {
    if let Value::Array(series) = result {
        series.sort_by_cached_key(|series| series["metric"].to_string());
    }
}

/// Whether two answers of queries are the same, but for the last digits of their numbers.
pub(crate) fn are_close(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Array(a), Value::Array(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| are_close(a, b)),
        (Value::Object(a), Value::Object(b)) => {
            a.len() == b.len()
                && a.iter().all(|(key, value)| b.get(key).is_some_and(|other| are_equal(key, value, other)))
        }
        (Value::String(a), Value::String(b)) => a == b || are_close_numbers(a, b),
        _ => a == b,
    }
}

/// Labels are the same or not: only values have last digits.
fn are_equal(key: &str, a: &Value, b: &Value) -> bool {
    if key == "metric" { a == b } else { are_close(a, b) }
}

fn are_close_numbers(a: &str, b: &str) -> bool {
    let (Ok(a), Ok(b)) = (a.parse::<f64>(), b.parse::<f64>()) else { return false };
    a == b || (a - b).abs() <= EPSILON * a.abs().max(b.abs()).min(f64::MAX)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_values_have_last_digits() {
        let row = |label: &str, value: &str| json!([{ "metric": { "a": label }, "value": [1.5, value] }]);
        assert!(are_close(&row("1", "2.0000001"), &row("1", "2")));
        assert!(are_close(&row("1", "+Inf"), &row("1", "+Inf")));
        assert!(!are_close(&row("1", "2.00001"), &row("1", "2")));
        assert!(!are_close(&row("1", "+Inf"), &row("1", "1e308")));
        assert!(!are_close(&row("1.0000001", "2"), &row("1", "2")));
    }
}
