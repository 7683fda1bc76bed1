//! The words of the language.

use model::quote;

use crate::{AggregateOp, BinaryOp, Span};

/// A word and where it stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Token {
    pub(crate) kind: TokenKind,
    pub(crate) span: Span,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TokenKind {
    End,
    /// A name without colons.
    Identifier,
    /// A name with colons, which only a metric may have.
    MetricIdentifier,
    Number,
    Duration,
    String,
    LeftParen,
    RightParen,
    LeftBrace,
    RightBrace,
    LeftBracket,
    RightBracket,
    Comma,
    Colon,
    /// `=`
    Assign,
    /// `=~`
    MatchRegex,
    /// `!~`
    MatchNotRegex,
    At,
    Operator(BinaryOp),
    Aggregator(AggregateOp),
    Keyword(Keyword),
    Builtin(Builtin),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Keyword {
    Anchored,
    Bool,
    By,
    Fill,
    FillLeft,
    FillRight,
    GroupLeft,
    GroupRight,
    Ignoring,
    Offset,
    On,
    Smoothed,
    Without,
}

/// Functions that are also part of modifiers: of `@` or of durations.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Builtin {
    Start,
    End,
    Step,
    Range,
    MinOf,
    MaxOf,
}

/// The length of the longest keyword.
const LONGEST: usize = "count_values".len();

/// The keyword that `word` is, in upper or lower case.
pub(crate) fn keyword(word: &str) -> Option<TokenKind> {
    use TokenKind::{Aggregator, Operator};

    let mut lower = [0; LONGEST];
    let lower = lower.get_mut(..word.len())?;
    lower.copy_from_slice(word.as_bytes());
    lower.make_ascii_lowercase();
    Some(match &*lower {
        b"and" => Operator(BinaryOp::And),
        b"or" => Operator(BinaryOp::Or),
        b"unless" => Operator(BinaryOp::Unless),
        b"atan2" => Operator(BinaryOp::Atan2),
        b"avg" => Aggregator(AggregateOp::Avg),
        b"bottomk" => Aggregator(AggregateOp::Bottomk),
        b"count" => Aggregator(AggregateOp::Count),
        b"count_values" => Aggregator(AggregateOp::CountValues),
        b"group" => Aggregator(AggregateOp::Group),
        b"limitk" => Aggregator(AggregateOp::Limitk),
        b"limit_ratio" => Aggregator(AggregateOp::LimitRatio),
        b"max" => Aggregator(AggregateOp::Max),
        b"min" => Aggregator(AggregateOp::Min),
        b"quantile" => Aggregator(AggregateOp::Quantile),
        b"stddev" => Aggregator(AggregateOp::Stddev),
        b"stdvar" => Aggregator(AggregateOp::Stdvar),
        b"sum" => Aggregator(AggregateOp::Sum),
        b"topk" => Aggregator(AggregateOp::Topk),
        b"anchored" => TokenKind::Keyword(Keyword::Anchored),
        b"bool" => TokenKind::Keyword(Keyword::Bool),
        b"by" => TokenKind::Keyword(Keyword::By),
        b"fill" => TokenKind::Keyword(Keyword::Fill),
        b"fill_left" => TokenKind::Keyword(Keyword::FillLeft),
        b"fill_right" => TokenKind::Keyword(Keyword::FillRight),
        b"group_left" => TokenKind::Keyword(Keyword::GroupLeft),
        b"group_right" => TokenKind::Keyword(Keyword::GroupRight),
        b"ignoring" => TokenKind::Keyword(Keyword::Ignoring),
        b"offset" => TokenKind::Keyword(Keyword::Offset),
        b"on" => TokenKind::Keyword(Keyword::On),
        b"smoothed" => TokenKind::Keyword(Keyword::Smoothed),
        b"without" => TokenKind::Keyword(Keyword::Without),
        b"start" => TokenKind::Builtin(Builtin::Start),
        b"end" => TokenKind::Builtin(Builtin::End),
        b"inf" | b"nan" => TokenKind::Number,
        word => return duration_builtin(word).map(TokenKind::Builtin),
    })
}

/// The function of durations that `word` is, which must be in lower case.
pub(crate) fn duration_builtin(word: &[u8]) -> Option<Builtin> {
    Some(match word {
        b"step" => Builtin::Step,
        b"range" => Builtin::Range,
        b"min_of" => Builtin::MinOf,
        b"max_of" => Builtin::MaxOf,
        _ => return None,
    })
}

impl Keyword {
    /// Whether it is a keyword only directly before a parenthesis, and else a name.
    pub(crate) fn is_fill(self) -> bool {
        matches!(self, Self::Fill | Self::FillLeft | Self::FillRight)
    }
}

impl TokenKind {
    /// Whether it can be a metric name, where an expression starts.
    pub(crate) fn names_metric(self) -> bool {
        match self {
            Self::Identifier | Self::MetricIdentifier | Self::Aggregator(_) | Self::Builtin(_) => true,
            Self::Operator(op) => op.is_set(),
            Self::Keyword(keyword) => !matches!(
                keyword,
                Keyword::Bool | Keyword::On | Keyword::Ignoring | Keyword::GroupLeft | Keyword::GroupRight
            ),
            _ => false,
        }
    }

    /// Whether it can be a label name in `by (…)`, `on (…)` and their like. `without` alone cannot.
    pub(crate) fn names_label(self) -> bool {
        match self {
            Self::Identifier | Self::MetricIdentifier | Self::Aggregator(_) | Self::Builtin(_) => true,
            Self::Operator(op) => op.is_set() || op == BinaryOp::Atan2,
            Self::Keyword(keyword) => keyword != Keyword::Without,
            _ => false,
        }
    }

    /// Whether an expression can start with it.
    pub(crate) fn starts_expression(self) -> bool {
        self.names_metric()
            || matches!(
                self,
                Self::Number
                    | Self::Duration
                    | Self::String
                    | Self::LeftParen
                    | Self::LeftBrace
                    | Self::Operator(BinaryOp::Add | BinaryOp::Sub)
            )
    }
}

impl Token {
    /// How messages show the word, given the text in which it stands.
    pub(crate) fn describe(self, text: &str) -> String {
        let word = self.span.of(text);
        match self.kind {
            TokenKind::End => "end of input".to_owned(),
            TokenKind::Identifier => format!("identifier {}", quote(word)),
            TokenKind::MetricIdentifier => format!("metric identifier {}", quote(word)),
            TokenKind::Number => format!("number {}", quote_short(word)),
            TokenKind::Duration => format!("duration {}", quote_short(word)),
            TokenKind::String => format!("string {}", quote_short(word)),
            TokenKind::Operator(_) | TokenKind::MatchRegex | TokenKind::MatchNotRegex | TokenKind::At => {
                format!("<op:{word}>")
            }
            TokenKind::Aggregator(_) => format!("<aggr:{word}>"),
            TokenKind::Keyword(_) => format!("<{word}>"),
            _ => quote_short(word),
        }
    }
}

/// The word in quotes, cut after ten characters if it has more than ten bytes.
fn quote_short(word: &str) -> String {
    if word.len() <= 10 {
        return quote(word);
    }
    let start: String = word.chars().take(10).collect();
    format!("{}...", quote(&start))
}
