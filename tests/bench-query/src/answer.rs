//! Whether two answers agree.

use serde_json::Value;

/// How much two floats may differ, relative to the larger one: some additions are made in another order.
const TOLERANCE: f64 = 1e-9;

/// Whether the data of two answers of the API are the same, whatever the order of series.
pub(crate) fn agree(one: &Value, other: &Value) -> bool {
    one["status"] == "success" && same(&sorted(&one["data"]), &sorted(&other["data"]))
}

/// The result of a query sorted by labels; other answers as they are.
fn sorted(data: &Value) -> Value {
    let mut list = data.get("result").unwrap_or(data).clone();
    if let Value::Array(items) = &mut list {
        items.sort_by_cached_key(|item| item.get("metric").unwrap_or(item).to_string());
    }
    list
}

fn same(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::Array(one), Value::Array(other)) => {
            one.len() == other.len() && one.iter().zip(other).all(|(one, other)| same(one, other))
        }
        (Value::Object(one), Value::Object(other)) => {
            one.len() == other.len()
                && one.iter().all(|(key, value)| other.get(key).is_some_and(|other| same(value, other)))
        }
        (Value::String(one), Value::String(other)) if one != other => {
            let (Ok(one), Ok(other)) = (one.parse::<f64>(), other.parse::<f64>()) else { return false };
            (one - other).abs() <= TOLERANCE * one.abs().max(other.abs())
        }
        _ => one == other,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn order_and_the_last_digit_do_not_matter() {
        let answer = |first: Value, second: Value| json!({"status": "success", "data": {"result": [first, second]}});
        let one = |value: &str| json!({"metric": {"a": "1"}, "value": [0, value]});
        let other = json!({"metric": {"a": "2"}, "value": [0, "7"]});
        assert!(agree(&answer(one("0.1"), other.clone()), &answer(other.clone(), one("0.10000000000000001"))));
        assert!(!agree(&answer(one("0.1"), other.clone()), &answer(one("0.2"), other)));
    }
}
