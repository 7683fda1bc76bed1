//! Walks over trees.

use crate::Expr;
use crate::ast::Subquery;

/// Where a walk goes after an expression.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Descend {
    /// To what it is made of.
    Into,
    /// To what follows it, leaving out what it is made of.
    Over,
    /// Nowhere: the walk ends.
    Stop,
}

impl Expr {
    /// The expressions this one is directly made of, in the order written.
    pub fn children(&self) -> impl Iterator<Item = &Self> {
        let (first, second, rest): (Option<&Self>, Option<&Self>, &[Self]) = match self {
            Self::Number(_) | Self::String(_) | Self::Vector(_) | Self::Matrix(_) => (None, None, &[]),
            Self::Subquery(Subquery { expr, .. }) => (Some(expr), None, &[]),
            Self::Call(call) => (None, None, &call.args),
            Self::Aggregation(aggregation) => (aggregation.param.as_deref(), Some(&aggregation.expr), &[]),
            Self::Binary(binary) => (Some(&binary.left), Some(&binary.right), &[]),
            Self::Unary(unary) => (Some(&unary.expr), None, &[]),
            Self::Paren(paren) => (Some(&paren.expr), None, &[]),
        };
        first.into_iter().chain(second).chain(rest)
    }

    /// [`Self::children`], to be changed.
    pub fn children_mut(&mut self) -> impl Iterator<Item = &mut Self> {
        let (first, second, rest): (Option<&mut Self>, Option<&mut Self>, &mut [Self]) = match self {
            Self::Number(_) | Self::String(_) | Self::Vector(_) | Self::Matrix(_) => (None, None, &mut []),
            Self::Subquery(Subquery { expr, .. }) => (Some(expr), None, &mut []),
            Self::Call(call) => (None, None, &mut call.args),
            Self::Aggregation(aggregation) => (aggregation.param.as_deref_mut(), Some(&mut aggregation.expr), &mut []),
            Self::Binary(binary) => (Some(&mut binary.left), Some(&mut binary.right), &mut []),
            Self::Unary(unary) => (Some(&mut unary.expr), None, &mut []),
            Self::Paren(paren) => (Some(&mut paren.expr), None, &mut []),
        };
        first.into_iter().chain(second).chain(rest)
    }

    /// Visits this expression and everything in it, outer before inner, in the order written.
    ///
    /// The visitor is also given the expressions around, outermost first.
    pub fn walk<'a>(&'a self, visit: &mut dyn FnMut(&'a Self, &[&'a Self]) -> Descend) {
        self.walk_below(&mut Vec::new(), visit);
    }

    /// Visits this expression and everything in it, outer before inner, in the order written. Each may be changed; then
    /// the walk goes on in what it became.
    pub fn walk_mut(&mut self, visit: &mut dyn FnMut(&mut Self) -> Descend) {
        self.walk_mut_below(visit);
    }

    fn walk_below<'a>(
        &'a self,
        path: &mut Vec<&'a Self>,
        visit: &mut dyn FnMut(&'a Self, &[&'a Self]) -> Descend,
    ) -> Walked {
        match visit(self, path) {
            Descend::Into => {}
            Descend::Over => return Walked::ToTheEnd,
            Descend::Stop => return Walked::Stopped,
        }
        path.push(self);
        for child in self.children() {
            if child.walk_below(path, visit) == Walked::Stopped {
                return Walked::Stopped;
            }
        }
        path.pop();
        Walked::ToTheEnd
    }

    fn walk_mut_below(&mut self, visit: &mut dyn FnMut(&mut Self) -> Descend) -> Walked {
        match visit(self) {
            Descend::Into => {}
            Descend::Over => return Walked::ToTheEnd,
            Descend::Stop => return Walked::Stopped,
        }
        for child in self.children_mut() {
            if child.walk_mut_below(visit) == Walked::Stopped {
                return Walked::Stopped;
            }
        }
        Walked::ToTheEnd
    }
}

#[derive(PartialEq, Eq)]
enum Walked {
    ToTheEnd,
    Stopped,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ast::At;
    use crate::{ParseOptions, parse};

    const TEXT: &str = "topk(1, sum(a)) + max_over_time((b - 2)[5m:])";

    #[test]
    fn walks_go_outside_in_in_the_order_written() {
        let expr = parse(TEXT, &ParseOptions::ALL).unwrap();
        let mut seen = Vec::new();
        expr.walk(&mut |expr, around| {
            seen.push(format!("{}{}", "-".repeat(around.len()), expr.span().of(TEXT)));
            Descend::Into
        });
        assert_eq!(
            seen,
            [
                TEXT,
                "-topk(1, sum(a))",
                "--1",
                "--sum(a)",
                "---a",
                "-max_over_time((b - 2)[5m:])",
                "--(b - 2)[5m:]",
                "---(b - 2)",
                "----b - 2",
                "-----b",
                "-----2",
            ]
        );
    }

    #[test]
    fn walks_leave_out_what_they_are_told_to() {
        let mut expr = parse(TEXT, &ParseOptions::ALL).unwrap();
        // A subquery with a time of its own fixes the times of what is in it.
        expr.walk_mut(&mut |expr| {
            let is_subquery = matches!(expr, Expr::Subquery(_));
            if let Some(shift) = expr.shift_mut() {
                shift.at = Some(At::Time(5000));
            }
            if is_subquery { Descend::Over } else { Descend::Into }
        });
        assert_eq!(expr.to_string(), "topk(1, sum(a @ 5.000)) + max_over_time((b - 2)[5m:] @ 5.000)");

        let mut count = 0;
        expr.walk(&mut |_, _| {
            count += 1;
            if count == 5 { Descend::Stop } else { Descend::Into }
        });
        assert_eq!(count, 5);
    }
}
