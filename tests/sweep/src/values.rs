//! Values that are the same, but for what nobody promises: order, and the last digits.

use serde_json::Value;

/// How far numbers may be apart, as a part of them.
const EPSILON: f64 = 1e-6;

/// The most of a value that is shown, in characters.
const SHOWN: usize = 300;

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
    first_difference(a, b).is_none()
}

/// Where two answers of queries differ by more than the last digits of their numbers, and what stands there.
pub(crate) fn first_difference(a: &Value, b: &Value) -> Option<String> {
    let below = |part: &str, difference: String| format!("{part}.{difference}");
    match (a, b) {
        (Value::Array(a), Value::Array(b)) if a.len() == b.len() => {
            let mut pairs = a.iter().zip(b).enumerate();
            pairs.find_map(|(at, (a, b))| Some(below(&at.to_string(), first_difference(a, b)?)))
        }
        (Value::Object(a), Value::Object(b)) if a.keys().eq(b.keys()) => a.iter().find_map(|(key, value)| {
            // Labels are the same or not: only values have last digits.
            let other = &b[key];
            let found = if key != "metric" {
                first_difference(value, other)
            } else {
                (value != other).then(|| shown(value, other))
            };
            Some(below(key, found?))
        }),
        (Value::String(text), Value::String(other)) if are_close_numbers(text, other) => None,
        _ => (a != b).then(|| shown(a, b)),
    }
}

fn shown(a: &Value, b: &Value) -> String {
    let short = |value: &Value| value.to_string().chars().take(SHOWN).collect::<String>();
    format!("{} | {}", short(a), short(b))
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
