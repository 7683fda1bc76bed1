//! Scripts, read.

mod evaluation;
mod load;
mod parse;

pub(crate) use evaluation::{Evaluation, Expectation, Expected, ExpectedPoint, ExpectedSeries, Times};
pub(crate) use load::Load;

/// A test script.
#[derive(Clone, Debug)]
pub struct Script {
    pub(crate) commands: Vec<Command>,
}

/// Something that a script does, and the line where it says so.
#[derive(Clone, Debug)]
pub(crate) struct Command {
    pub(crate) line: usize,
    pub(crate) kind: CommandKind,
}

#[derive(Clone, Debug)]
pub(crate) enum CommandKind {
    Clear,
    Load(Load),
    Evaluate(Box<Evaluation>),
}

/// Why a text is no script.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {message}")]
pub struct ScriptError {
    /// Where it went wrong, counted from 1.
    pub line: usize,
    /// What is wrong.
    pub message: String,
}

impl Script {
    /// Reads a script.
    ///
    /// # Errors
    /// The first fault.
    pub fn parse(text: &str) -> Result<Self, ScriptError> {
        parse::parse(text)
    }

    /// How many queries the script asks.
    pub fn evaluations(&self) -> usize {
        self.commands.iter().filter(|command| matches!(command.kind, CommandKind::Evaluate(_))).count()
    }
}
