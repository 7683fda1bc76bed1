//! Answers.

use engine::Value;

/// What a query came to.
#[derive(Clone, Debug)]
pub enum Outcome {
    /// It failed, with this message.
    Failed(String),
    /// It was answered.
    Answered {
        /// The result.
        value: Value,
        /// In order of their texts.
        warnings: Vec<String>,
        /// In order of their texts.
        infos: Vec<String>,
    },
}
