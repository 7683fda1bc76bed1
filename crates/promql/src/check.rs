//! Whether a tree makes sense: types, numbers of arguments, selectors that select something.

use model::{METRIC_NAME, quote};

use crate::ast::{Aggregation, Binary, Call, Cardinality, Unary, VectorSelector};
use crate::{Arity, Expr, ParseError, Span, ValueType};

/// Checks a tree and completes it: vectors are matched only where both sides are vectors, and set operators match any to
/// any.
///
/// # Errors
/// The first fault, in the order in which Prometheus looks: operands before the operation they belong to.
pub(crate) fn check(text: &str, expr: &mut Expr) -> Result<(), ParseError> {
    Checker { text }.expr(expr).map(drop)
}

struct Checker<'a> {
    text: &'a str,
}

impl Checker<'_> {
    fn expr(&self, expr: &mut Expr) -> Result<ValueType, ParseError> {
        match expr {
            Expr::Number(_) => Ok(ValueType::Scalar),
            Expr::String(_) => Ok(ValueType::String),
            Expr::Vector(selector) => self.selector(selector).map(|()| ValueType::Vector),
            Expr::Matrix(matrix) => self.selector(&matrix.selector).map(|()| ValueType::Matrix),
            Expr::Subquery(subquery) => {
                let inner = self.expr(&mut subquery.expr)?;
                if inner != ValueType::Vector {
                    let message = format!("subquery is only allowed on instant vector, got {} instead", inner.as_str());
                    return Err(self.error(subquery.span, message));
                }
                Ok(ValueType::Matrix)
            }
            Expr::Call(call) => self.call(call),
            Expr::Aggregation(aggregation) => self.aggregation(aggregation),
            Expr::Binary(binary) => self.binary(binary),
            Expr::Unary(unary) => self.unary(unary),
            Expr::Paren(paren) => self.expr(&mut paren.expr),
        }
    }

    fn selector(&self, selector: &VectorSelector) -> Result<(), ParseError> {
        self.has_one_name(selector)?;
        self.selects_something(selector)
    }

    fn has_one_name(&self, selector: &VectorSelector) -> Result<(), ParseError> {
        let Some((_, before)) = selector.matchers.split_last().filter(|_| selector.name.is_some()) else {
            return Ok(());
        };
        let Some(second) = before.iter().find(|matcher| matcher.name() == METRIC_NAME) else {
            return Ok(());
        };
        let (first, second) = (quote(selector.name()), quote(second.value()));
        let message = format!("metric name must not be set twice: {first} or {second}");
        Err(self.error(selector.span, message))
    }

    /// Refuses selectors that every series satisfies, which are most likely typing errors.
    fn selects_something(&self, selector: &VectorSelector) -> Result<(), ParseError> {
        if selector.name.is_some() || !selector.matchers.iter().all(model::Matcher::matches_empty) {
            return Ok(());
        }
        let message = "vector selector must contain at least one non-empty matcher";
        Err(self.error(selector.span, message))
    }

    fn call(&self, call: &mut Call) -> Result<ValueType, ParseError> {
        self.argument_count(call)?;
        let is_info = call.function.name == "info";
        if let Some(labels) = call.args.get(1).filter(|_| is_info) {
            self.info_labels(call, labels)?;
        }
        for (at, arg) in call.args.iter_mut().enumerate() {
            // The second argument of `info` says which labels to add, which may be all.
            let found = match arg {
                Expr::Vector(selector) if is_info && at == 1 => {
                    self.has_one_name(selector)?;
                    ValueType::Vector
                }
                _ => self.expr(arg)?,
            };
            let types = call.function.args;
            let wanted = types.get(at).or(types.last()).expect("without types there are no arguments");
            if found != *wanted {
                let name = quote(call.function.name);
                let message = format!("expected type {wanted} in call to function {name}, got {found}");
                return Err(self.error(arg.span(), message));
            }
        }
        Ok(call.function.returns)
    }

    fn argument_count(&self, call: &Call) -> Result<(), ParseError> {
        let (types, given) = (call.function.args.len(), call.args.len());
        let (least, most) = match call.function.arity {
            Arity::Exact => (types, types),
            Arity::Optional(most) => (types - 1, types - 1 + usize::from(most)),
            Arity::Repeated => (types - 1, usize::MAX),
        };
        let wanted = match call.function.arity {
            _ if (least..=most).contains(&given) => return Ok(()),
            Arity::Exact => format!("{types}"),
            _ if given < least => format!("at least {least}"),
            _ => format!("at most {most}"),
        };
        let name = quote(call.function.name);
        Err(self.error(call.span, format!("expected {wanted} argument(s) in call to {name}, got {given}")))
    }

    fn info_labels(&self, call: &Call, labels: &Expr) -> Result<(), ParseError> {
        let found = labels.value_type();
        if found != ValueType::Vector {
            let message = format!("expected type {} in call to function \"info\", got {found}", ValueType::Vector);
            return Err(self.error(call.span, message));
        }
        match labels {
            Expr::Vector(selector) if selector.name.is_none() => Ok(()),
            Expr::Vector(selector) => {
                let message = "expected label selectors only, got vector selector instead";
                Err(self.error(selector.span, message))
            }
            other => Err(self.error(other.span(), "expected label selectors only")),
        }
    }

    fn aggregation(&self, aggregation: &mut Aggregation) -> Result<ValueType, ParseError> {
        self.expect(&mut aggregation.expr, ValueType::Vector, "aggregation expression")?;
        if let (Some(param), Some(wanted)) = (&mut aggregation.param, aggregation.op.param_type()) {
            self.expect(param, wanted, "aggregation parameter")?;
        }
        Ok(ValueType::Vector)
    }

    fn expect(&self, expr: &mut Expr, wanted: ValueType, place: &str) -> Result<(), ParseError> {
        let found = self.expr(expr)?;
        if found != wanted {
            let message = format!("expected type {wanted} in {place}, got {found}");
            return Err(self.error(expr.span(), message));
        }
        Ok(())
    }

    fn unary(&self, unary: &mut Unary) -> Result<ValueType, ParseError> {
        let found = self.expr(&mut unary.expr)?;
        if !is_operand(found) {
            let found = quote(&found.to_string());
            let message =
                format!("unary expression only allowed on expressions of type scalar or instant vector, got {found}");
            return Err(self.error(unary.span, message));
        }
        Ok(found)
    }

    fn binary(&self, binary: &mut Binary) -> Result<ValueType, ParseError> {
        let left = self.expr(&mut binary.left)?;
        let right = self.expr(&mut binary.right)?;
        self.modifiers(binary, left, right)?;
        for (found, operand) in [(left, &binary.left), (right, &binary.right)] {
            if !is_operand(found) {
                let message = "binary expression must contain only scalar and instant vector types";
                return Err(self.error(operand.span(), message));
            }
        }
        let (op, span) = (binary.op, binary.span);
        if (left, right) == (ValueType::Vector, ValueType::Vector) {
            self.set_matching(binary)?;
            return Ok(ValueType::Vector);
        }
        let matching = binary.matching.take().unwrap_or_default();
        if !matching.labels.is_empty() {
            return Err(self.error(span, "vector matching only allowed between instant vectors"));
        }
        if matching.fill.is_some() {
            return Err(self.error(span, "filling in missing series only allowed between instant vectors"));
        }
        if op.is_set() {
            let message = format!("set operator \"{op}\" not allowed in binary scalar expression");
            return Err(self.error(span, message));
        }
        Ok(ValueType::of_operation(left, right))
    }

    /// Whether `bool` and the labels fit the operator.
    fn modifiers(&self, binary: &Binary, left: ValueType, right: ValueType) -> Result<(), ParseError> {
        let is_comparison = binary.op.is_comparison();
        if binary.returns_bool && !is_comparison {
            return Err(self.operator_error(binary, "bool modifier can only be used on comparison operators"));
        }
        if is_comparison && !binary.returns_bool && (left, right) == (ValueType::Scalar, ValueType::Scalar) {
            return Err(self.operator_error(binary, "comparisons between scalars must use BOOL modifier"));
        }
        let Some(matching) = binary.matching.as_ref().filter(|matching| matching.on) else {
            return Ok(());
        };
        let Some(label) = matching.labels.iter().find(|label| matching.include.contains(label)) else {
            return Ok(());
        };
        let message = format!("label {} must not occur in ON and GROUP clause at once", quote(label));
        Err(self.operator_error(binary, message))
    }

    /// Whether the matching of two vectors fits a set operator, if it is one.
    fn set_matching(&self, binary: &mut Binary) -> Result<(), ParseError> {
        let op = binary.op;
        let Some(matching) = binary.matching.as_mut().filter(|_| op.is_set()) else {
            return Ok(());
        };
        if matching.cardinality.is_grouped() {
            return Err(self.error(binary.span, format!("no grouping allowed for \"{op}\" operation")));
        }
        if matching.fill.is_some() {
            return Err(self.error(binary.span, "filling in missing series not allowed for set operators"));
        }
        matching.cardinality = Cardinality::ManyToMany;
        Ok(())
    }

    fn error(&self, span: Span, message: impl Into<Box<str>>) -> ParseError {
        ParseError::new(self.text, span, message)
    }

    /// An error at what stands between the operands, without its last character, as in Prometheus.
    fn operator_error(&self, binary: &Binary, message: impl Into<Box<str>>) -> ParseError {
        let (start, end) = (binary.left.span().end as usize, binary.right.span().start as usize);
        let between = self.text.get(start..end).unwrap_or_default();
        let blanks = between.len() - between.trim_ascii_start().len();
        let length = between.trim_ascii_end().len().max(1);
        self.error(Span::new(start + blanks, start + length - 1), message)
    }
}

fn is_operand(value_type: ValueType) -> bool {
    matches!(value_type, ValueType::Scalar | ValueType::Vector)
}

#[cfg(test)]
mod tests {
    use crate::ast::Cardinality;
    use crate::{Expr, ParseOptions, parse};

    #[track_caller]
    fn check_error(text: &str, message: &str) {
        match parse(text, &ParseOptions::ALL) {
            Ok(expr) => panic!("{text} is read as {expr}"),
            Err(error) => assert_eq!(error.to_string(), message, "{text}"),
        }
    }

    #[test]
    fn functions_want_the_right_arguments() {
        for (text, message) in [
            ("abs()", "1:1: parse error: expected 1 argument(s) in call to \"abs\", got 0"),
            ("round(a, 1, 2)", "1:1: parse error: expected at most 2 argument(s) in call to \"round\", got 3"),
            ("label_join(a)", "1:1: parse error: expected at least 3 argument(s) in call to \"label_join\", got 1"),
            ("abs(1)", "1:5: parse error: expected type instant vector in call to function \"abs\", got scalar"),
            (
                "rate(a)",
                "1:6: parse error: expected type range vector in call to function \"rate\", got instant vector",
            ),
            (
                "label_join(a, \"b\", \"c\", \"d\", 1)",
                "1:30: parse error: expected type string in call to function \"label_join\", got scalar",
            ),
            ("info(a, b)", "1:9: parse error: expected label selectors only, got vector selector instead"),
            ("info(a, {b=\"c\"} + 1)", "1:9: parse error: expected label selectors only"),
            ("info(a, 1)", "1:1: parse error: expected type instant vector in call to function \"info\", got scalar"),
        ] {
            check_error(text, message);
        }
        assert!(parse("info(a, {})", &ParseOptions::ALL).is_ok());
        assert!(parse("hour() + round(a) + label_join(a, \"b\", \"c\")", &ParseOptions::ALL).is_ok());
    }

    #[test]
    fn operators_want_the_right_operands_and_modifiers() {
        for (text, message) in [
            ("a[5m] + 1", "1:1: parse error: binary expression must contain only scalar and instant vector types"),
            ("1 and a", "1:1: parse error: set operator \"and\" not allowed in binary scalar expression"),
            ("1 < 2", "1:3: parse error: comparisons between scalars must use BOOL modifier"),
            ("a + bool b", "1:3: parse error: bool modifier can only be used on comparison operators"),
            ("a == on(b) 1", "1:1: parse error: vector matching only allowed between instant vectors"),
            ("a + fill(1) 1", "1:1: parse error: filling in missing series only allowed between instant vectors"),
            ("a and on(b) group_left c", "1:1: parse error: no grouping allowed for \"and\" operation"),
            ("a or fill(1) b", "1:1: parse error: filling in missing series not allowed for set operators"),
            (
                "a * on(b, c) group_left(c) d",
                "1:3: parse error: label \"c\" must not occur in ON and GROUP clause at once",
            ),
            (
                "-\"a\"",
                "1:1: parse error: unary expression only allowed on expressions of type scalar or instant vector, \
                 got \"string\"",
            ),
            ("sum(1)", "1:5: parse error: expected type instant vector in aggregation expression, got scalar"),
            ("topk(a, b)", "1:6: parse error: expected type scalar in aggregation parameter, got instant vector"),
            ("1[5m:]", "1:1: parse error: subquery is only allowed on instant vector, got scalar instead"),
        ] {
            check_error(text, message);
        }
    }

    #[test]
    fn selectors_select_something_and_have_one_name() {
        for (text, message) in [
            ("{}", "1:1: parse error: vector selector must contain at least one non-empty matcher"),
            ("{a=~\".*\", b!=\"c\"}", "1:1: parse error: vector selector must contain at least one non-empty matcher"),
            ("a{__name__!=\"b\"}", "1:1: parse error: metric name must not be set twice: \"a\" or \"b\""),
            ("rate(a{\"b\"}[5m])", "1:6: parse error: metric name must not be set twice: \"a\" or \"b\""),
        ] {
            check_error(text, message);
        }
    }

    #[test]
    fn only_vectors_are_matched_and_sets_any_to_any() {
        for (text, cardinality) in [
            ("a + b", Some(Cardinality::OneToOne)),
            ("a + on(b) group_right c", Some(Cardinality::OneToMany)),
            ("a unless b", Some(Cardinality::ManyToMany)),
            ("a + 1", None),
            ("1 + on() 2", None),
        ] {
            let Expr::Binary(binary) = parse(text, &ParseOptions::ALL).unwrap() else {
                panic!("{text} is binary");
            };
            assert_eq!(binary.matching.map(|matching| matching.cardinality), cardinality, "{text}");
        }
    }
}
