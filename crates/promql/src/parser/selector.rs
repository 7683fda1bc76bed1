//! Which series: names and conditions on labels.

use model::{Labels, LabelsBuilder, METRIC_NAME, MatchOp, Matcher};

use super::{Context, Parser};
use crate::ast::{TimeShift, VectorSelector};
use crate::literal::unquote;
use crate::token::{Token, TokenKind};
use crate::{BinaryOp, ParseError, Span};

const MATCHING: Context = Context { place: "label matching", expected: "" };
const LABEL_SET: Context = Context { place: "label set", expected: "" };
const NAME_OR_END: &str = "identifier or \"}\"";
const COMMA_OR_END: &str = "\",\" or \"}\"";

impl Parser<'_> {
    /// A metric name, conditions in braces, or both.
    pub(super) fn vector_selector(&mut self) -> Result<VectorSelector, ParseError> {
        let token = self.peek()?;
        if token.kind.names_metric() {
            self.skip();
            return self.selector(Some(token));
        }
        if token.kind == TokenKind::LeftBrace {
            return self.selector(None);
        }
        Err(self.unexpected(token))
    }

    /// The rest of a selector, of which at most the metric name was taken.
    pub(super) fn selector(&mut self, name: Option<Token>) -> Result<VectorSelector, ParseError> {
        let mut matchers = Vec::new();
        let mut span = name.map(|name| name.span);
        if self.peek()?.kind == TokenKind::LeftBrace {
            let braces = self.matchers(&mut matchers)?;
            span = Some(span.map_or(braces, |span| span.to(braces)));
        }
        let name = name.map(|name| self.text_of(name));
        matchers.extend(name.map(|name| Matcher::equal(METRIC_NAME, name)));
        Ok(VectorSelector {
            name: name.map(Into::into),
            matchers,
            shift: TimeShift::default(),
            extension: None,
            span: span.unwrap_or_default(),
        })
    }

    /// Conditions in braces. Returns where they stand.
    fn matchers(&mut self, matchers: &mut Vec<Matcher>) -> Result<Span, ParseError> {
        let open = self.next()?;
        self.list_in_braces(MATCHING, |parser, name| {
            matchers.push(parser.matcher(name)?);
            Ok(())
        })
        .map(|close| open.span.to(close))
    }

    /// What follows a `{`, separated by commas: something that starts with a name, which is given to `item`.
    /// Returns where the `}` stands.
    fn list_in_braces(
        &mut self,
        context: Context,
        mut item: impl FnMut(&mut Self, Token) -> Result<(), ParseError>,
    ) -> Result<Span, ParseError> {
        loop {
            let token = self.next()?;
            match token.kind {
                // A comma may stand before it, but not alone.
                TokenKind::RightBrace => return Ok(token.span),
                TokenKind::Identifier | TokenKind::String => item(self, token)?,
                _ => return Err(self.unexpected_in(token, context.expecting(NAME_OR_END))),
            }
            let token = self.next()?;
            match token.kind {
                TokenKind::Comma => {}
                TokenKind::RightBrace => return Ok(token.span),
                _ => return Err(self.unexpected_in(token, context.expecting(COMMA_OR_END))),
            }
        }
    }

    /// One condition, whose name was taken. A quoted name alone is the name of the metric.
    fn matcher(&mut self, name: Token) -> Result<Matcher, ParseError> {
        let token = self.peek()?;
        let op = match token.kind {
            TokenKind::Assign => MatchOp::Equal,
            TokenKind::Operator(BinaryOp::NotEqual) => MatchOp::NotEqual,
            TokenKind::MatchRegex => MatchOp::Regex,
            TokenKind::MatchNotRegex => MatchOp::NotRegex,
            _ if name.kind == TokenKind::String => {
                return Ok(Matcher::equal(METRIC_NAME, &unquote(self.text_of(name))));
            }
            _ => return Err(self.unexpected_in(token, MATCHING.expecting("label matching operator"))),
        };
        self.skip();
        let value = self.expect_in(TokenKind::String, MATCHING.expecting("string"))?;
        Matcher::new(op, &self.label_name(name), &unquote(self.text_of(value)))
            .map_err(|error| self.error(name.span.to(value.span), error.to_string()))
    }

    /// The labels of a series: a selector with nothing but equalities, whose braces follow the name directly.
    pub(super) fn labels(&mut self) -> Result<Labels, ParseError> {
        let mut labels = LabelsBuilder::new();
        let first = self.peek()?;
        let name = first.kind.names_metric().then(|| self.text_of(first));
        if name.is_some() {
            self.skip();
        }
        if name.is_none() || self.lexer.rest().starts_with('{') {
            self.expect(TokenKind::LeftBrace)?;
            self.list_in_braces(LABEL_SET, |parser, name| parser.label(name, &mut labels))?;
        }
        if let Some(name) = name {
            labels.set(METRIC_NAME, name);
        }
        Ok(labels.build())
    }

    /// One label, whose name was taken. A quoted name alone is the name of the metric.
    fn label(&mut self, name: Token, labels: &mut LabelsBuilder) -> Result<(), ParseError> {
        let token = self.peek()?;
        if token.kind != TokenKind::Assign {
            if name.kind == TokenKind::String {
                labels.set(METRIC_NAME, &unquote(self.text_of(name)));
                return Ok(());
            }
            return Err(self.unexpected_in(token, LABEL_SET.expecting("\"=\"")));
        }
        self.skip();
        let value = self.expect_in(TokenKind::String, LABEL_SET.expecting("string"))?;
        labels.set(&self.label_name(name), &unquote(self.text_of(value)));
        Ok(())
    }

    fn label_name(&self, token: Token) -> std::borrow::Cow<'_, str> {
        let text = self.text_of(token);
        if token.kind == TokenKind::String { unquote(text).into() } else { text.into() }
    }
}

impl Context {
    pub(super) fn expecting(self, expected: &'static str) -> Self {
        Self { expected, ..self }
    }
}
