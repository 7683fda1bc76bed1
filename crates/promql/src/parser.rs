//! From words to a tree: operators by precedence climbing, everything else by recursive descent.
//!
//! The first fault found is the one that Prometheus reports first. Its parser is generated, reads one word ahead, and
//! reports a fault of meaning (an unknown function, say) as soon as the rule at hand is complete, which may be before or
//! after the next word was read, and a faulty word with the innermost construct that has a message for it. So here too
//! it matters when [`Parser::peek`] is called, and what is expected is said by the construct, not by each word of it.

mod duration;
mod modifier;
mod operation;
mod selector;

use model::{Labels, Matcher};

use crate::ast::{NumberLiteral, Paren, StringLiteral, Unary, to_seconds};
use crate::lexer::Lexer;
use crate::literal::{number_value, unquote};
use crate::token::{Token, TokenKind};
use crate::{BinaryOp, Expr, ParseError, Sign, Span, check};

/// What the language is allowed to contain: Prometheus' feature flags. By default none is on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ParseOptions {
    /// Functions and aggregations that are experimental: `promql-experimental-functions`.
    pub experimental_functions: bool,
    /// `anchored` and `smoothed`: `promql-extended-range-selectors`.
    pub extended_range_selectors: bool,
    /// `fill`, `fill_left` and `fill_right`: `promql-binop-fill-modifiers`.
    pub binop_fill_modifiers: bool,
}

impl ParseOptions {
    /// Everything is allowed.
    pub const ALL: Self =
        Self { experimental_functions: true, extended_range_selectors: true, binop_fill_modifiers: true };
}

/// The length of the longest expression that is read, in bytes. The longest of dashboards have some thousands.
pub const MAX_LENGTH: usize = 1 << 20;

/// How deeply expressions may be nested, which decides how much stack the parser needs: less than 512 KiB.
pub const MAX_NESTING: u32 = 200;

/// How many operators and subqueries an expression may have, since each makes the tree deeper: `a + b + c` is a sum of a
/// sum. So no tree is deeper than this and [`MAX_NESTING`] together.
pub const MAX_OPERATORS: u32 = 1000;

/// Reads an expression.
///
/// Cost: some nanoseconds per byte, but for regular expressions, which are compiled.
///
/// # Errors
/// The first fault: of the words, of their order, or, if there are none of those, of the types.
/// Expressions beyond [`MAX_LENGTH`], [`MAX_NESTING`] or [`MAX_OPERATORS`] are refused too.
pub fn parse(text: &str, options: &ParseOptions) -> Result<Expr, ParseError> {
    let mut parser = Parser::new(text, *options)?;
    if parser.peek()?.kind == TokenKind::End {
        return Err(parser.error(Span::default(), "no expression found in input"));
    }
    let mut expr = parser.expression(0)?;
    parser.expect_end()?;
    check::check(text, &mut expr)?;
    Ok(expr)
}

/// Reads a selector such as `up{job="api"}`, and returns its conditions, the one on the metric name last.
///
/// Selectors that match everything, such as `{}`, are fine.
///
/// # Errors
/// The first fault, as with [`parse`].
pub fn parse_selector(text: &str) -> Result<Vec<Matcher>, ParseError> {
    let mut parser = Parser::new(text, ParseOptions::default())?;
    let selector = parser.vector_selector()?;
    parser.expect_end()?;
    Ok(selector.matchers)
}

/// Reads the labels of a series such as `up{job="api"}` from the start of `text`, and returns what follows them.
pub(crate) fn parse_labels(text: &str) -> Result<(Labels, &str), ParseError> {
    let mut parser = Parser::new(text, ParseOptions::ALL)?;
    let labels = parser.labels()?;
    Ok((labels, parser.lexer.rest()))
}

struct Parser<'a> {
    lexer: Lexer<'a>,
    options: ParseOptions,
    /// The next word, if it was looked at.
    peeked: Option<Token>,
    /// The end of the last word that was taken.
    taken_to: u32,
    /// How many aggregations are being read.
    aggregations: u32,
    /// How many expressions are being read, one in the other.
    nesting: u32,
    /// How many operators and subqueries were read.
    operators: u32,
}

/// What a message says about where a faulty word stands, and what should stand there.
#[derive(Clone, Copy)]
struct Context {
    place: &'static str,
    expected: &'static str,
}

impl<'a> Parser<'a> {
    fn new(text: &'a str, options: ParseOptions) -> Result<Self, ParseError> {
        if text.len() > MAX_LENGTH {
            let message = format!("expression has {} bytes, at most {MAX_LENGTH} are allowed", text.len());
            return Err(ParseError::new(text, Span::default(), message));
        }
        Ok(Self {
            lexer: Lexer::new(text),
            options,
            peeked: None,
            taken_to: 0,
            aggregations: 0,
            nesting: 0,
            operators: 0,
        })
    }

    /// An expression whose operators all have at least this precedence.
    fn expression(&mut self, precedence: u8) -> Result<Expr, ParseError> {
        self.enter()?;
        let mut left = self.operand()?;
        while let TokenKind::Operator(op) = self.peek()?.kind
            && op.precedence() >= precedence
        {
            self.count_operator()?;
            self.skip();
            left = self.binary(left, op)?;
        }
        self.leave();
        Ok(left)
    }

    /// An expression without binary operators outside parentheses, except for `^` after a sign.
    fn operand(&mut self) -> Result<Expr, ParseError> {
        let token = self.peek()?;
        if let Some(sign) = sign(token.kind) {
            self.skip();
            let expr = self.expression(BinaryOp::TIGHTEST)?;
            return Ok(signed(sign, token.span, expr));
        }
        let operand = self.primary(token)?;
        self.modifiers(operand)
    }

    /// An expression without modifiers and without binary operators outside parentheses.
    fn primary(&mut self, token: Token) -> Result<Expr, ParseError> {
        match token.kind {
            TokenKind::Number | TokenKind::Duration => Ok(Expr::Number(self.number()?)),
            TokenKind::String => {
                self.skip();
                Ok(Expr::String(StringLiteral { value: unquote(self.text_of(token)), span: token.span }))
            }
            TokenKind::LeftParen => self.paren(),
            TokenKind::Aggregator(op) => self.aggregation_or_selector(op),
            TokenKind::Identifier | TokenKind::Builtin(_) => self.call_or_selector(),
            _ => Ok(Expr::Vector(self.vector_selector()?)),
        }
    }

    fn paren(&mut self) -> Result<Expr, ParseError> {
        let open = self.next()?;
        let expr = Box::new(self.expression(0)?);
        let close = self.expect(TokenKind::RightParen)?;
        let span = open.span.to(close.span);
        Ok(Expr::Paren(Paren { expr, span }))
    }

    /// A number or a duration, which must be next.
    fn number(&mut self) -> Result<NumberLiteral, ParseError> {
        let token = self.next()?;
        let text = self.text_of(token);
        let is_duration = token.kind == TokenKind::Duration;
        let value = if is_duration {
            let ms = model::parse_duration(text).map_err(|error| self.error(token.span, error.to_string()))?;
            to_seconds(ms)
        } else {
            number_value(text).map_err(|fault| self.error(token.span, format!("error parsing number: {fault}")))?
        };
        Ok(NumberLiteral { value, is_duration, span: token.span })
    }

    /// A number or a duration, with or without a sign.
    fn signed_number(&mut self, context: Context) -> Result<f64, ParseError> {
        let sign = sign(self.peek()?.kind);
        if sign.is_some() {
            self.skip();
        }
        let token = self.peek()?;
        if !matches!(token.kind, TokenKind::Number | TokenKind::Duration) {
            return Err(self.unexpected_in(token, context));
        }
        Ok(sign.unwrap_or(Sign::Plus).apply(self.number()?.value))
    }

    /// The next word, which stays the next one.
    fn peek(&mut self) -> Result<Token, ParseError> {
        if let Some(token) = self.peeked {
            return Ok(token);
        }
        let token = self.lexer.next_token()?;
        self.peeked = Some(token);
        Ok(token)
    }

    /// Takes the next word.
    fn next(&mut self) -> Result<Token, ParseError> {
        let token = self.peek()?;
        self.skip();
        Ok(token)
    }

    /// Takes the next word, which was looked at.
    fn skip(&mut self) {
        let taken = self.peeked.take();
        debug_assert!(taken.is_some(), "only words that were looked at are skipped");
        self.taken_to = taken.map_or(self.taken_to, |token| token.span.end);
    }

    /// Takes the next word if it is of this kind.
    fn accept(&mut self, kind: TokenKind) -> Result<bool, ParseError> {
        let is_next = self.peek()?.kind == kind;
        if is_next {
            self.skip();
        }
        Ok(is_next)
    }

    /// Takes the next word, which must be of this kind.
    fn expect(&mut self, kind: TokenKind) -> Result<Token, ParseError> {
        self.expect_in(kind, self.context())
    }

    /// [`Self::expect`], in a construct that has a message of its own.
    fn expect_in(&mut self, kind: TokenKind, context: Context) -> Result<Token, ParseError> {
        let token = self.next()?;
        if token.kind == kind { Ok(token) } else { Err(self.unexpected_in(token, context)) }
    }

    fn expect_end(&mut self) -> Result<(), ParseError> {
        self.expect(TokenKind::End).map(drop)
    }

    fn text_of(&self, token: Token) -> &'a str {
        token.span.of(self.lexer.text())
    }

    fn error(&self, span: Span, message: impl Into<Box<str>>) -> ParseError {
        ParseError::new(self.lexer.text(), span, message)
    }

    /// What messages say where no construct has one of its own.
    fn context(&self) -> Context {
        let place = if self.aggregations > 0 { "aggregation" } else { "" };
        Context { place, expected: "" }
    }

    /// The error that this word does not belong here.
    fn unexpected(&self, token: Token) -> ParseError {
        self.unexpected_in(token, self.context())
    }

    /// [`Self::unexpected`], in a construct that has a message of its own.
    fn unexpected_in(&self, token: Token, context: Context) -> ParseError {
        let mut message = format!("unexpected {}", token.describe(self.lexer.text()));
        for (before, part) in [(" in ", context.place), (", expected ", context.expected)] {
            if !part.is_empty() {
                message.push_str(before);
                message.push_str(part);
            }
        }
        self.error(token.span, message)
    }

    /// Starts an expression inside another one.
    fn enter(&mut self) -> Result<(), ParseError> {
        self.nesting += 1;
        if self.nesting > MAX_NESTING {
            let token = self.peek()?;
            let message = format!("expression is nested too deeply: at most {MAX_NESTING} levels are allowed");
            return Err(self.error(token.span, message));
        }
        Ok(())
    }

    fn leave(&mut self) {
        self.nesting -= 1;
    }

    fn count_operator(&mut self) -> Result<(), ParseError> {
        self.operators += 1;
        if self.operators > MAX_OPERATORS {
            let token = self.peek()?;
            let message = format!("expression has too many operators: at most {MAX_OPERATORS} are allowed");
            return Err(self.error(token.span, message));
        }
        Ok(())
    }
}

/// The sign that a word is.
fn sign(kind: TokenKind) -> Option<Sign> {
    match kind {
        TokenKind::Operator(BinaryOp::Add) => Some(Sign::Plus),
        TokenKind::Operator(BinaryOp::Sub) => Some(Sign::Minus),
        _ => None,
    }
}

/// An expression with a sign before it. The sign of a number becomes part of it.
fn signed(sign: Sign, sign_span: Span, expr: Expr) -> Expr {
    let span = sign_span.to(expr.span());
    match expr {
        Expr::Number(number) => Expr::Number(NumberLiteral { value: sign.apply(number.value), span, ..number }),
        expr => Expr::Unary(Unary { sign, expr: Box::new(expr), span }),
    }
}

#[cfg(test)]
mod tests;
