//! The tree of an expression as JSON. As in Prometheus, members are in the order of their keys.

use model::{Matcher, format_float};
use promql::Expr;
use promql::ast::{
    Aggregation, At, Binary, Call, DurationArg, DurationExpr, DurationKind, Extension, MatrixSelector, NumberLiteral,
    Subquery, TimeShift, VectorMatching, VectorSelector,
};

use crate::json::{Json, ToJson};

/// An expression, to be written as a node of the tree.
pub(super) struct Node<'a>(pub(super) &'a Expr);

impl ToJson for Node<'_> {
    fn write(&self, json: &mut Json) {
        json.open_object();
        match self.0 {
            Expr::Number(number) => write_number(json, number),
            Expr::String(string) => {
                json.member("type", "stringLiteral");
                json.member("val", &string.value);
            }
            Expr::Vector(selector) => write_selector(json, selector, None),
            Expr::Matrix(MatrixSelector { selector, range, .. }) => write_selector(json, selector, Some(range)),
            Expr::Subquery(subquery) => write_subquery(json, subquery),
            Expr::Call(call) => write_call(json, call),
            Expr::Aggregation(aggregation) => write_aggregation(json, aggregation),
            Expr::Binary(binary) => write_binary(json, binary),
            Expr::Unary(unary) => {
                json.member("expr", Node(&unary.expr));
                json.member("op", unary.sign.as_str());
                json.member("type", "unaryExpr");
            }
            Expr::Paren(paren) => {
                json.member("expr", Node(&paren.expr));
                json.member("type", "parenExpr");
            }
        }
        json.close_object();
    }
}

fn write_number(json: &mut Json, number: &NumberLiteral) {
    json.member("type", "numberLiteral");
    json.member("val", format_float(number.value));
}

/// A vector selector, or with a range a matrix selector.
fn write_selector(json: &mut Json, selector: &VectorSelector, range: Option<&DurationArg>) {
    json.member("anchored", selector.extension == Some(Extension::Anchored));
    json.member("matchers", selector.matchers.as_slice());
    json.member("name", selector.name());
    write_offset(json, &selector.shift);
    if let Some(range) = range {
        write_duration(json, "range", "rangeExpr", range);
    }
    json.member("smoothed", selector.extension == Some(Extension::Smoothed));
    json.member("startOrEnd", start_or_end(&selector.shift));
    json.member("timestamp", timestamp(&selector.shift));
    json.member("type", if range.is_some() { "matrixSelector" } else { "vectorSelector" });
}

fn write_subquery(json: &mut Json, subquery: &Subquery) {
    json.member("expr", Node(&subquery.expr));
    write_offset(json, &subquery.shift);
    write_duration(json, "range", "rangeExpr", &subquery.range);
    json.member("startOrEnd", start_or_end(&subquery.shift));
    write_duration(json, "step", "stepExpr", subquery.step.as_ref().unwrap_or(&DurationArg::Fixed(0)));
    json.member("timestamp", timestamp(&subquery.shift));
    json.member("type", "subquery");
}

fn write_call(json: &mut Json, call: &Call) {
    json.key("args").list(call.args.iter().map(Node));
    json.key("func").object(|json| {
        json.key("argTypes").list(call.function.args.iter().map(|value_type| value_type.as_str()));
        json.member("name", call.function.name);
        json.member("returnType", call.function.returns.as_str());
        json.member("variadic", i64::from(call.function.arity.variadic()));
    });
    json.member("type", "call");
}

fn write_aggregation(json: &mut Json, aggregation: &Aggregation) {
    json.member("expr", Node(&aggregation.expr));
    json.member("grouping", aggregation.grouping.labels.as_slice());
    json.member("op", aggregation.op.as_str());
    json.member("param", aggregation.param.as_deref().map(Node));
    json.member("type", "aggregation");
    json.member("without", aggregation.grouping.without);
}

fn write_binary(json: &mut Json, binary: &Binary) {
    json.member("bool", binary.returns_bool);
    json.member("lhs", Node(&binary.left));
    json.member("matching", binary.matching.as_deref());
    json.member("op", binary.op.as_str());
    json.member("rhs", Node(&binary.right));
    json.member("type", "binaryExpr");
}

impl ToJson for VectorMatching {
    fn write(&self, json: &mut Json) {
        json.object(|json| {
            json.member("card", self.cardinality.as_str());
            json.key("fillValues").object(|json| {
                json.member("lhs", self.fill.left);
                json.member("rhs", self.fill.right);
            });
            json.member("include", self.include.as_slice());
            json.member("labels", self.labels.as_slice());
            json.member("on", self.on);
        });
    }
}

impl ToJson for Matcher {
    fn write(&self, json: &mut Json) {
        json.object(|json| {
            json.member("name", self.name());
            json.member("type", self.op().as_str());
            json.member("value", self.value());
        });
    }
}

/// A duration in ms, and the expression that it is still to be computed from, if it is.
fn write_duration(json: &mut Json, key: &'static str, expr_key: &'static str, duration: &DurationArg) {
    json.member(key, duration.fixed().unwrap_or(0));
    json.member(expr_key, duration.expr());
}

fn write_offset(json: &mut Json, shift: &TimeShift) {
    write_duration(json, "offset", "offsetExpr", &shift.offset);
}

fn start_or_end(shift: &TimeShift) -> Option<&'static str> {
    match shift.at {
        Some(At::Start) => Some("start"),
        Some(At::End) => Some("end"),
        Some(At::Time(_)) | None => None,
    }
}

fn timestamp(shift: &TimeShift) -> Option<i64> {
    match shift.at {
        Some(At::Time(ms)) => Some(ms),
        Some(At::Start | At::End) | None => None,
    }
}

impl ToJson for DurationExpr {
    fn write(&self, json: &mut Json) {
        let (op, left, right) = match &self.kind {
            DurationKind::Number(number) => {
                json.open_object();
                json.member("duration", number.is_duration);
                write_number(json, number);
                return json.close_object();
            }
            DurationKind::Step => ("step", None, None),
            DurationKind::Range => ("range", None, None),
            DurationKind::Unary(sign, right) => (sign.as_str(), None, Some(right)),
            DurationKind::Binary(op, left, right) => (op.as_str(), Some(left), Some(right)),
        };
        json.object(|json| {
            json.member("lhs", left.map(|left| &**left));
            json.member("op", op);
            json.member("rhs", right.map(|right| &**right));
            json.member("type", "durationExpr");
            json.member("wrapped", self.wrapped);
        });
    }
}

#[cfg(test)]
mod tests {
    use promql::ParseOptions;

    use super::*;
    use crate::json::to_bytes;

    #[track_caller]
    fn check(text: &str, expected: &str) {
        let expr = promql::parse(text, &ParseOptions::ALL).unwrap();
        assert_eq!(String::from_utf8(to_bytes(Node(&expr))).unwrap(), expected, "{text}");
    }

    #[test]
    fn literals_and_parentheses() {
        check("1e21", r#"{"type":"numberLiteral","val":"1000000000000000000000"}"#);
        check("\"a\"", r#"{"type":"stringLiteral","val":"a"}"#);
        check(
            "-(1)",
            r#"{"expr":{"expr":{"type":"numberLiteral","val":"1"},"type":"parenExpr"},"op":"-","type":"unaryExpr"}"#,
        );
    }

    #[test]
    fn operations_name_what_they_are_made_of() {
        let one = r#"{"type":"numberLiteral","val":"1"}"#;
        check(
            "vector(1) < bool 1",
            &format!(
                r#"{{"bool":true,"lhs":{{"args":[{one}],"func":{{"argTypes":["scalar"],"name":"vector","returnType":"vector","variadic":0}},"type":"call"}},"matching":null,"op":"\u003c","rhs":{one},"type":"binaryExpr"}}"#
            ),
        );
        let a =
            |name: &str| String::from_utf8(to_bytes(Node(&promql::parse(name, &ParseOptions::ALL).unwrap()))).unwrap();
        check(
            "a * on(c) group_left(d) fill(2) b",
            &format!(
                r#"{{"bool":false,"lhs":{},"matching":{{"card":"many-to-one","fillValues":{{"lhs":2,"rhs":2}},"include":["d"],"labels":["c"],"on":true}},"op":"*","rhs":{},"type":"binaryExpr"}}"#,
                a("a"),
                a("b")
            ),
        );
        check(
            "topk without(c) (1, a)",
            &format!(
                r#"{{"expr":{},"grouping":["c"],"op":"topk","param":{one},"type":"aggregation","without":true}}"#,
                a("a")
            ),
        );
        check(
            "a[5m:]",
            &format!(
                r#"{{"expr":{},"offset":0,"offsetExpr":null,"range":300000,"rangeExpr":null,"startOrEnd":null,"step":0,"stepExpr":null,"timestamp":null,"type":"subquery"}}"#,
                a("a")
            ),
        );
    }

    #[test]
    fn the_deepest_expression_can_be_written() {
        let text = vec!["1"; promql::MAX_OPERATORS as usize].join("+");
        let expr = promql::parse(&text, &ParseOptions::ALL).unwrap();
        assert!(to_bytes(Node(&expr)).len() > 100_000);
    }

    #[test]
    fn selectors_have_times_and_durations_in_milliseconds() {
        let name = r#"{"name":"__name__","type":"=","value":"a"}"#;
        check(
            "a{b!=\"c\"} offset -1s @ 2",
            &format!(
                r#"{{"anchored":false,"matchers":[{{"name":"b","type":"!=","value":"c"}},{name}],"name":"a","offset":-1000,"offsetExpr":null,"smoothed":false,"startOrEnd":null,"timestamp":2000,"type":"vectorSelector"}}"#
            ),
        );
        check(
            "a[2*step()] @ end() anchored",
            &format!(
                r#"{{"anchored":true,"matchers":[{name}],"name":"a","offset":0,"offsetExpr":null,"range":0,"rangeExpr":{{"lhs":{{"duration":false,"type":"numberLiteral","val":"2"}},"op":"*","rhs":{{"lhs":null,"op":"step","rhs":null,"type":"durationExpr","wrapped":false}},"type":"durationExpr","wrapped":false}},"smoothed":false,"startOrEnd":"end","timestamp":null,"type":"matrixSelector"}}"#
            ),
        );
    }
}
