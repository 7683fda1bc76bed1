//! Operators with their modifiers, aggregations and calls.

use super::{Context, Parser};
use crate::ast::{Aggregation, Binary, Call, Cardinality, Fill, Grouping, VectorMatching};
use crate::literal::unquote;
use crate::token::{Keyword, Token, TokenKind};
use crate::{AggregateOp, BinaryOp, Expr, Function, ParseError};

const LABELS: Context = Context { place: "grouping opts", expected: "label" };
const FIRST_PAREN: Context = Context { expected: "\"(\"", ..LABELS };
const LABELS_END: Context = Context { expected: "\",\" or \")\"", ..LABELS };

impl Parser<'_> {
    /// The rest of an operation, whose operator was taken.
    pub(super) fn binary(&mut self, left: Expr, op: BinaryOp) -> Result<Expr, ParseError> {
        let returns_bool = self.accept(TokenKind::Keyword(Keyword::Bool))?;
        let matching = self.vector_matching()?;
        let right = self.expression(op.right_precedence())?;
        let span = left.span().to(right.span());
        if matching.fill.is_some() && !self.options.binop_fill_modifiers {
            return Err(self.error(span, "binop fill modifiers are experimental and not enabled"));
        }
        Ok(Expr::Binary(Binary {
            op,
            left: Box::new(left),
            right: Box::new(right),
            matching: Some(Box::new(matching)),
            returns_bool,
            span,
        }))
    }

    /// `on`, `ignoring`, `group_left`, `group_right` and `fill`, as far as they are there.
    fn vector_matching(&mut self) -> Result<VectorMatching, ParseError> {
        let mut matching = VectorMatching::default();
        if let TokenKind::Keyword(keyword @ (Keyword::On | Keyword::Ignoring)) = self.peek()?.kind {
            self.skip();
            matching.on = keyword == Keyword::On;
            matching.labels = self.grouping_labels()?;
            matching.cardinality = match self.peek()?.kind {
                TokenKind::Keyword(Keyword::GroupLeft) => Cardinality::ManyToOne,
                TokenKind::Keyword(Keyword::GroupRight) => Cardinality::OneToMany,
                _ => Cardinality::OneToOne,
            };
            if matching.cardinality.is_grouped() {
                self.skip();
                matching.include = self.included_labels()?;
            }
        }
        matching.fill = self.fill()?;
        Ok(matching)
    }

    /// The labels behind `group_left` and `group_right`, which may be left out with their parentheses.
    fn included_labels(&mut self) -> Result<Vec<String>, ParseError> {
        let token = self.peek()?;
        // A parenthesis always holds labels here, never the right side.
        if token.kind == TokenKind::LeftParen {
            return self.grouping_labels();
        }
        if !token.kind.starts_expression() {
            return Err(self.unexpected_in(token, FIRST_PAREN));
        }
        Ok(Vec::new())
    }

    fn fill(&mut self) -> Result<Fill, ParseError> {
        let mut fill = Fill::default();
        match self.peek()?.kind {
            TokenKind::Keyword(Keyword::Fill) => {
                fill.left = Some(self.fill_value()?);
                fill.right = fill.left;
            }
            TokenKind::Keyword(Keyword::FillLeft) => {
                fill.left = Some(self.fill_value()?);
                if self.peek()?.kind == TokenKind::Keyword(Keyword::FillRight) {
                    fill.right = Some(self.fill_value()?);
                }
            }
            TokenKind::Keyword(Keyword::FillRight) => {
                fill.right = Some(self.fill_value()?);
                if self.peek()?.kind == TokenKind::Keyword(Keyword::FillLeft) {
                    fill.left = Some(self.fill_value()?);
                }
            }
            _ => {}
        }
        Ok(fill)
    }

    /// A keyword, which must be next, and the number in parentheses behind it.
    fn fill_value(&mut self) -> Result<f64, ParseError> {
        self.next()?;
        self.expect(TokenKind::LeftParen)?;
        let value = self.signed_number(self.context())?;
        self.expect(TokenKind::RightParen)?;
        Ok(value)
    }

    /// Names of labels in parentheses.
    fn grouping_labels(&mut self) -> Result<Vec<String>, ParseError> {
        self.expect_in(TokenKind::LeftParen, FIRST_PAREN)?;
        let mut labels = Vec::new();
        loop {
            let token = self.next()?;
            match token.kind {
                // A comma may stand before it, but not alone.
                TokenKind::RightParen => return Ok(labels),
                TokenKind::String => labels.push(unquote(self.text_of(token))),
                kind if kind.names_label() => labels.push(self.text_of(token).to_owned()),
                _ => return Err(self.unexpected_in(token, LABELS)),
            }
            if labels.last().is_some_and(String::is_empty) {
                return Err(self.error(token.span, "invalid label name for grouping: \"\""));
            }
            let token = self.next()?;
            match token.kind {
                TokenKind::Comma => {}
                TokenKind::RightParen => return Ok(labels),
                _ => return Err(self.unexpected_in(token, LABELS_END)),
            }
        }
    }

    /// A word that is an aggregation before a parenthesis or a clause, and else a metric name.
    pub(super) fn aggregation_or_selector(&mut self, op: AggregateOp) -> Result<Expr, ParseError> {
        let name = self.next()?;
        match self.peek()?.kind {
            TokenKind::LeftParen | TokenKind::Keyword(Keyword::By | Keyword::Without) => self.aggregation(name, op),
            _ => Ok(Expr::Vector(self.selector(Some(name))?)),
        }
    }

    /// The rest of an aggregation, whose name was taken.
    fn aggregation(&mut self, name: Token, op: AggregateOp) -> Result<Expr, ParseError> {
        self.aggregations += 1;
        let before = self.grouping()?;
        let mut args = self.arguments()?;
        let grouping = match before {
            Some(grouping) => grouping,
            None => self.grouping()?.unwrap_or_default(),
        };
        self.aggregations -= 1;

        let mut span = name.span;
        span.end = self.taken_to;
        if args.is_empty() {
            return Err(self.error(span, "no arguments for aggregate expression provided"));
        }
        if op.is_experimental() && !self.options.experimental_functions {
            let message = format!(
                "{op}() is experimental and must be enabled with --enable-feature=promql-experimental-functions"
            );
            return Err(self.error(span, message));
        }
        let wanted = 1 + usize::from(op.param_type().is_some());
        if args.len() != wanted {
            let message = format!(
                "wrong number of arguments for aggregate expression provided, expected {wanted}, got {}",
                args.len()
            );
            return Err(self.error(span, message));
        }
        let expr = args.pop().expect("there are one or two arguments");
        Ok(Expr::Aggregation(Aggregation { op, expr: Box::new(expr), param: args.pop().map(Box::new), grouping, span }))
    }

    /// `by (labels)` or `without (labels)`, if it is there.
    fn grouping(&mut self) -> Result<Option<Grouping>, ParseError> {
        let without = match self.peek()?.kind {
            TokenKind::Keyword(Keyword::By) => false,
            TokenKind::Keyword(Keyword::Without) => true,
            _ => return Ok(None),
        };
        self.skip();
        let labels = self.grouping_labels()?;
        Ok(Some(Grouping { labels, without }))
    }

    /// A word that is a function before a parenthesis, and else a metric name.
    pub(super) fn call_or_selector(&mut self) -> Result<Expr, ParseError> {
        let name = self.next()?;
        if self.peek()?.kind != TokenKind::LeftParen {
            return Ok(Expr::Vector(self.selector(Some(name))?));
        }
        let args = self.arguments()?;
        let mut span = name.span;
        span.end = self.taken_to;
        let text = self.text_of(name);
        let Some(function) = Function::find(text) else {
            let message = format!("unknown function with name {}", model::quote(text));
            return Err(self.error(name.span, message));
        };
        if function.is_experimental && !self.options.experimental_functions {
            return Err(self.error(name.span, format!("function {} is not enabled", model::quote(text))));
        }
        Ok(Expr::Call(Call { function, args, span }))
    }

    /// Expressions in parentheses.
    fn arguments(&mut self) -> Result<Vec<Expr>, ParseError> {
        self.expect(TokenKind::LeftParen)?;
        let mut args = Vec::new();
        if self.accept(TokenKind::RightParen)? {
            return Ok(args);
        }
        loop {
            args.push(self.expression(0)?);
            let token = self.next()?;
            match token.kind {
                TokenKind::RightParen => return Ok(args),
                TokenKind::Comma if self.peek()?.kind.starts_expression() => {}
                TokenKind::Comma => {
                    return Err(self.error(token.span, "trailing commas not allowed in function call args"));
                }
                _ => return Err(self.unexpected(token)),
            }
        }
    }
}
