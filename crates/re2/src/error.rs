//! Why an expression does not compile.

/// Why an expression does not compile, and the part of it that is wrong. The message is Go's.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("error parsing regexp: {kind}: `{expression}`")]
pub struct Error {
    /// What is wrong.
    pub kind: ErrorKind,
    /// Where: a part of the expression, or all of it.
    pub expression: String,
}

/// What is wrong with an expression.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ErrorKind {
    /// A range in a class that ends before it starts, or a class that does not exist.
    #[error("invalid character class range")]
    CharRange,
    /// A backslash before something that has no meaning then.
    #[error("invalid escape sequence")]
    Escape,
    /// A group whose name is none.
    #[error("invalid named capture")]
    NamedCapture,
    /// `(?` and something that Go does not support, such as a look-ahead.
    #[error("invalid or unsupported Perl syntax")]
    PerlSyntax,
    /// A repetition of a repetition, such as `a**`.
    #[error("invalid nested repetition operator")]
    NestedRepetition,
    /// More than 1000 repetitions, also by nesting, or more at least than at most.
    #[error("invalid repeat count")]
    RepeatCount,
    /// A class without end.
    #[error("missing closing ]")]
    MissingBracket,
    /// A group without end.
    #[error("missing closing )")]
    MissingParenthesis,
    /// A repetition of nothing.
    #[error("missing argument to repetition operator")]
    MissingArgument,
    /// A backslash before nothing.
    #[error("trailing backslash at end of expression")]
    TrailingBackslash,
    /// The end of a group that never started.
    #[error("unexpected )")]
    UnexpectedParenthesis,
    /// Groups in groups in groups.
    #[error("expression nests too deeply")]
    NestingDepth,
    /// The compiled expression would take too much memory.
    #[error("expression too large")]
    TooLarge,
}

impl Error {
    pub(crate) fn new(kind: ErrorKind, expression: &str) -> Self {
        Self { kind, expression: expression.to_owned() }
    }
}
