//! Durations of ranges, steps and offsets.

use super::{Context, Parser, sign};
use crate::ast::{DurationArg, DurationExpr, DurationKind, DurationOp, NumberLiteral, is_out_of_range};
use crate::token::{Builtin, Token, TokenKind};
use crate::{BinaryOp, ParseError, Sign, Span};

const OFFSET: Context = Context { place: "offset", expected: "number, duration, step(), or range()" };

impl Parser<'_> {
    /// A duration that must be greater than 0, as far as that is known.
    ///
    /// Prometheus lets pass what is less than a millisecond, but counts in milliseconds and then has nothing left.
    pub(super) fn positive_duration(&mut self, context: Context) -> Result<DurationArg, ParseError> {
        let expr = self.duration(0, context)?;
        match expr.kind {
            DurationKind::Number(number) if number.to_ms() <= 0 => {
                Err(self.error(number.span, "duration must be greater than 0"))
            }
            _ => Ok(argument(expr)),
        }
    }

    /// A duration that may be negative.
    ///
    /// It ends after its first term, signed or not: `a offset 1m * b` is a product. But after a parenthesis or after
    /// two signs, operators belong to it.
    pub(super) fn offset_duration(&mut self) -> Result<DurationArg, ParseError> {
        let first = self.peek()?;
        Ok(argument(match sign(first.kind) {
            Some(sign) => self.signed_offset(first, sign)?,
            None if first.kind == TokenKind::LeftParen => self.duration(0, OFFSET)?,
            None => self.duration_term(OFFSET)?,
        }))
    }

    fn signed_offset(&mut self, first: Token, sign: Sign) -> Result<DurationExpr, ParseError> {
        self.skip();
        let next = self.peek()?;
        match next.kind {
            TokenKind::Number | TokenKind::Duration => {
                let number = self.number()?;
                if is_out_of_range(number.value) {
                    return Err(self.error(first.span, "duration out of range"));
                }
                Ok(signed(sign, first.span, plain(DurationKind::Number(number), number.span)))
            }
            TokenKind::LeftParen => {
                let inner = self.duration_paren(OFFSET)?;
                Ok(signed(sign, first.span, inner))
            }
            TokenKind::Operator(_) => {
                let inner = self.duration(BinaryOp::TIGHTEST, OFFSET)?;
                self.duration_operators(signed(sign, first.span, inner), 0, OFFSET)
            }
            _ => {
                let inner = self.duration_term(OFFSET)?;
                let span = first.span.to(inner.span);
                Ok(plain(DurationKind::Unary(sign, Box::new(inner)), span))
            }
        }
    }

    /// A duration whose operators all have at least this precedence.
    fn duration(&mut self, precedence: u8, context: Context) -> Result<DurationExpr, ParseError> {
        self.enter()?;
        let first = self.peek()?;
        let left = match sign(first.kind) {
            Some(sign) => {
                self.skip();
                let inner = self.duration(BinaryOp::TIGHTEST, context)?;
                signed(sign, first.span, inner)
            }
            None if first.kind == TokenKind::LeftParen => self.duration_paren(context)?,
            None => self.duration_term(context)?,
        };
        let expr = self.duration_operators(left, precedence, context)?;
        self.leave();
        Ok(expr)
    }

    /// The operators behind `left` that have at least this precedence, with their right sides.
    fn duration_operators(
        &mut self,
        mut left: DurationExpr,
        precedence: u8,
        context: Context,
    ) -> Result<DurationExpr, ParseError> {
        loop {
            let token = self.peek()?;
            let TokenKind::Operator(operator) = token.kind else {
                return Ok(left);
            };
            let Some(op) = DurationOp::from_binary(operator).filter(|_| operator.precedence() >= precedence) else {
                return Ok(left);
            };
            self.count_operator()?;
            self.skip();
            let right = self.duration(operator.right_precedence(), context)?;
            if let (DurationKind::Number(NumberLiteral { value: 0.0, .. }), Some(fault)) = (&right.kind, zero_fault(op))
            {
                return Err(self.error(token.span, fault));
            }
            let span = left.span.to(right.span);
            left = plain(DurationKind::Binary(op, Box::new(left), Box::new(right)), span);
        }
    }

    fn duration_paren(&mut self, context: Context) -> Result<DurationExpr, ParseError> {
        let open = self.next()?;
        let mut inner = self.duration(0, context)?;
        let close = self.expect_in(TokenKind::RightParen, context)?;
        if matches!(inner.kind, DurationKind::Number(_)) {
            let span = open.span.to(close.span);
            inner = plain(DurationKind::Unary(Sign::Plus, Box::new(inner)), span);
        }
        inner.wrapped = true;
        Ok(inner)
    }

    /// A number or a call.
    fn duration_term(&mut self, context: Context) -> Result<DurationExpr, ParseError> {
        let first = self.peek()?;
        let kind = match first.kind {
            TokenKind::Number | TokenKind::Duration => {
                let number = self.number()?;
                if is_out_of_range(number.value) {
                    return Err(self.error(number.span, "duration out of range"));
                }
                return Ok(plain(DurationKind::Number(number), number.span));
            }
            TokenKind::Builtin(Builtin::Step) => DurationKind::Step,
            TokenKind::Builtin(Builtin::Range) => DurationKind::Range,
            TokenKind::Builtin(Builtin::MinOf) => return self.duration_call(DurationOp::MinOf, context),
            TokenKind::Builtin(Builtin::MaxOf) => return self.duration_call(DurationOp::MaxOf, context),
            _ => return Err(self.unexpected_in(first, context)),
        };
        self.skip();
        self.expect_in(TokenKind::LeftParen, context)?;
        let close = self.expect_in(TokenKind::RightParen, context)?;
        Ok(plain(kind, first.span.to(close.span)))
    }

    fn duration_call(&mut self, op: DurationOp, context: Context) -> Result<DurationExpr, ParseError> {
        let name = self.next()?;
        self.expect_in(TokenKind::LeftParen, context)?;
        let left = self.duration(0, context)?;
        self.expect_in(TokenKind::Comma, context)?;
        let right = self.duration(0, context)?;
        let close = self.expect_in(TokenKind::RightParen, context)?;
        let kind = DurationKind::Binary(op, Box::new(left), Box::new(right));
        Ok(plain(kind, name.span.to(close.span)))
    }
}

fn plain(kind: DurationKind, span: Span) -> DurationExpr {
    let wrapped = false;
    DurationExpr { kind, wrapped, span }
}

/// A duration with a sign before it. The sign of a number becomes part of it, and a plus changes nothing.
fn signed(sign: Sign, sign_span: Span, expr: DurationExpr) -> DurationExpr {
    let span = sign_span.to(expr.span);
    match (expr.kind, sign) {
        (DurationKind::Number(number), _) => {
            let value = sign.apply(number.value);
            plain(DurationKind::Number(NumberLiteral { value, span, ..number }), span)
        }
        (kind, Sign::Plus) => DurationExpr { kind, ..expr },
        (kind, Sign::Minus) => plain(DurationKind::Unary(sign, Box::new(DurationExpr { kind, ..expr })), span),
    }
}

/// NaN is no duration, but Prometheus reads it as one. So it stays an expression, whose evaluation fails.
fn argument(expr: DurationExpr) -> DurationArg {
    match expr.kind {
        DurationKind::Number(number) if !number.value.is_nan() => DurationArg::Fixed(number.to_ms()),
        _ => DurationArg::Computed(Box::new(expr)),
    }
}

/// What is wrong with a literal zero on the right of this operator, if anything.
fn zero_fault(op: DurationOp) -> Option<&'static str> {
    match op {
        DurationOp::Div => Some("division by zero"),
        DurationOp::Mod => Some("modulo by zero"),
        _ => None,
    }
}
