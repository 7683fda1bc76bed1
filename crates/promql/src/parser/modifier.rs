//! What follows an expression: `offset`, `@`, brackets, `anchored` and `smoothed`.

use super::{Context, Parser};
use crate::ast::{At, DurationArg, Extension, MatrixSelector, Subquery, TimeShift};
use crate::token::{Builtin, Keyword, TokenKind};
use crate::{Expr, ParseError, Span};

const AT: Context = Context { place: "@", expected: "timestamp" };
const BRACKET: Context =
    Context { place: "subquery or range selector", expected: "number, duration, step(), or range()" };
const RANGE_END: Context = Context { place: "subquery or range", expected: "\":\" or \"]\"" };
const STEP: Context = Context { place: "subquery selector", expected: "number, duration, step(), range(), or \"]\"" };
const STEP_END: Context = Context { place: "subquery selector", expected: "\"]\"" };

impl Parser<'_> {
    /// All modifiers that follow `expr`. They bind tighter than any operator.
    pub(super) fn modifiers(&mut self, mut expr: Expr) -> Result<Expr, ParseError> {
        loop {
            match self.peek()?.kind {
                TokenKind::Keyword(Keyword::Offset) => self.offset(&mut expr)?,
                TokenKind::Keyword(Keyword::Anchored) => self.extension(&mut expr, Extension::Anchored)?,
                TokenKind::Keyword(Keyword::Smoothed) => self.extension(&mut expr, Extension::Smoothed)?,
                TokenKind::At => self.at(&mut expr)?,
                TokenKind::LeftBracket => expr = self.brackets(expr)?,
                _ => return Ok(expr),
            }
        }
    }

    fn offset(&mut self, expr: &mut Expr) -> Result<(), ParseError> {
        self.skip();
        let offset = self.offset_duration()?;
        let span = expr.span();
        let Some(shift) = expr.shift_mut() else {
            let message =
                "offset modifier must be preceded by an instant vector selector or range vector selector or a subquery";
            return Err(self.error(span, message));
        };
        if shift.offset.is_set() {
            return Err(self.error(span, "offset may not be set multiple times"));
        }
        shift.offset = offset;
        self.extend(expr);
        Ok(())
    }

    fn at(&mut self, expr: &mut Expr) -> Result<(), ParseError> {
        self.skip();
        let span = expr.span();
        let at = self.time(span)?;
        let Some(shift) = expr.shift_mut() else {
            let message =
                "@ modifier must be preceded by an instant vector selector or range vector selector or a subquery";
            return Err(self.error(span, message));
        };
        if shift.at.is_some() {
            return Err(self.error(span, "@ <timestamp> may not be set multiple times"));
        }
        shift.at = Some(at);
        self.extend(expr);
        Ok(())
    }

    /// What stands behind the `@` of the expression at `span`.
    fn time(&mut self, span: Span) -> Result<At, ParseError> {
        let token = self.peek()?;
        let at = match token.kind {
            TokenKind::Builtin(Builtin::Start) => At::Start,
            TokenKind::Builtin(Builtin::End) => At::End,
            _ => return self.timestamp(span),
        };
        self.skip();
        self.expect_in(TokenKind::LeftParen, AT)?;
        self.expect_in(TokenKind::RightParen, AT)?;
        Ok(at)
    }

    fn timestamp(&mut self, span: Span) -> Result<At, ParseError> {
        let seconds = self.signed_number(AT)?;
        // Beyond what an i64 holds, as in Prometheus; NaN is in no range.
        if !(i64::MIN as f64..i64::MAX as f64).contains(&seconds) || seconds == i64::MIN as f64 {
            let shown = if seconds.is_finite() { format!("{seconds:.6}") } else { model::format_float(seconds) };
            return Err(self.error(span, format!("timestamp out of bounds for @ modifier: {shown}")));
        }
        Ok(At::Time((seconds * 1000.0).round() as i64))
    }

    fn extension(&mut self, expr: &mut Expr, extension: Extension) -> Result<(), ParseError> {
        self.skip();
        let span = expr.span();
        let name = extension.as_str();
        if !self.options.extended_range_selectors {
            return Err(self.error(span, format!("{name} modifier is experimental and not enabled")));
        }
        let selector = match expr {
            Expr::Vector(selector) => selector,
            Expr::Matrix(matrix) => &mut matrix.selector,
            Expr::Subquery(_) => {
                return Err(self.error(span, format!("{name} modifier is not supported for subqueries")));
            }
            _ => return Err(self.error(span, format!("{name} modifier not implemented"))),
        };
        if selector.extension.is_some_and(|other| other != extension) {
            return Err(self.error(span, "anchored and smoothed modifiers cannot be used together"));
        }
        selector.extension = Some(extension);
        Ok(())
    }

    /// `[range]` or `[range:step]`.
    fn brackets(&mut self, expr: Expr) -> Result<Expr, ParseError> {
        let open = self.next()?;
        let range = self.positive_duration(BRACKET)?;
        let token = self.next()?;
        match token.kind {
            TokenKind::RightBracket => self.matrix_selector(expr, range, open.span.to(token.span)),
            TokenKind::Colon => self.subquery(expr, range),
            _ => Err(self.unexpected_in(token, RANGE_END)),
        }
    }

    fn matrix_selector(&self, expr: Expr, range: DurationArg, brackets: Span) -> Result<Expr, ParseError> {
        let Expr::Vector(selector) = expr else {
            return Err(self.error(brackets, "ranges only allowed for vector selectors"));
        };
        if selector.shift.offset.is_set() {
            return Err(self.error(brackets, "no offset modifiers allowed before range"));
        }
        if selector.shift.at.is_some() {
            return Err(self.error(brackets, "no @ modifiers allowed before range"));
        }
        let span = selector.span.to(brackets);
        Ok(Expr::Matrix(MatrixSelector { selector, range, span }))
    }

    /// The rest of a subquery, whose colon was taken.
    fn subquery(&mut self, expr: Expr, range: DurationArg) -> Result<Expr, ParseError> {
        let step =
            if self.peek()?.kind == TokenKind::RightBracket { None } else { Some(self.positive_duration(STEP)?) };
        let close = self.expect_in(TokenKind::RightBracket, STEP_END)?;
        // Subqueries follow each other without nesting, but make a tree as deep as operators do.
        self.count_operator()?;
        let span = expr.span().to(close.span);
        Ok(Expr::Subquery(Subquery { expr: Box::new(expr), range, step, shift: TimeShift::default(), span }))
    }

    /// Makes the modifier that was just read part of the expression's place.
    fn extend(&self, expr: &mut Expr) {
        let span = match expr {
            Expr::Vector(selector) => &mut selector.span,
            Expr::Matrix(matrix) => &mut matrix.span,
            Expr::Subquery(subquery) => &mut subquery.span,
            _ => return,
        };
        span.end = self.taken_to;
    }
}
