//! Labels: `label_replace`, `label_join` and those of `absent`.

use std::sync::Arc;

use model::{Labels, LabelsBuilder, METRIC_NAME, MatchOp};
use promql::Expr;
use series::QueryError;

use crate::vector::{LabelJoin, LabelReplace, RowOp};

/// The operation of a function that changes labels; `None` if it is another one.
pub(super) fn label_operation(name: &str, args: &[Expr]) -> Result<Option<RowOp>, QueryError> {
    let text = |at: usize| args.get(at).map_or("", text_of);
    Ok(match name {
        "label_replace" => {
            let replace = LabelReplace::new(text(1), text(2), text(3), text(4))?;
            Some(RowOp::LabelReplace(Arc::new(replace)))
        }
        "label_join" => {
            let sources = args.iter().skip(3).map(|arg| text_of(arg).to_owned()).collect();
            Some(RowOp::LabelJoin(Arc::new(LabelJoin::new(text(1), text(2), sources)?)))
        }
        _ => None,
    })
}

/// The text that an argument is; empty if it is something else.
pub(super) fn text_of(arg: &Expr) -> &str {
    match arg.without_parens() {
        Expr::String(string) => &string.value,
        _ => "",
    }
}

/// The labels of the series that is there while a selected one is not: those that it would surely have had.
///
/// A label that is matched more than once or other than by `=` is left out.
pub(super) fn labels_of_absent(args: &[Expr]) -> Labels {
    let mut labels = LabelsBuilder::new();
    let Some(selector) = args.first().and_then(|arg| arg.without_parens().selector()) else { return Labels::empty() };
    let mut seen: Vec<&str> = Vec::new();
    for matcher in selector.matchers.iter().filter(|matcher| matcher.name() != METRIC_NAME) {
        if matcher.op() == MatchOp::Equal && !seen.contains(&matcher.name()) {
            labels.set(matcher.name(), matcher.value());
            seen.push(matcher.name());
        } else {
            labels.remove(matcher.name());
        }
    }
    labels.build()
}
