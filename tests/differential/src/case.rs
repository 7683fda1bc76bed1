//! Questions.

use engine::QueryTimes;

use crate::Data;

/// A question: series, a query, and how it is asked.
#[derive(Clone, Debug)]
pub struct Case {
    /// What is stored.
    pub data: Data,
    /// The expression.
    pub query: String,
    /// When it is evaluated.
    pub times: QueryTimes,
    /// How engines evaluate.
    pub mode: Mode,
}

/// How engines evaluate, where that can be chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mode {
    /// How old the newest sample may be, in ms.
    pub lookback_ms: u64,
    /// Whether names of series go only at the end.
    pub delayed_name_removal: bool,
    /// Whether the label `__type__` says what is a counter.
    pub type_and_unit_labels: bool,
}

impl Default for Mode {
    /// As Prometheus' own scripts are run.
    fn default() -> Self {
        Self { lookback_ms: 5 * 60_000, delayed_name_removal: true, type_and_unit_labels: false }
    }
}

impl Mode {
    /// What the first line of a script says, if it is one that [`report`](crate::report) writes.
    pub fn of_script(script: &str) -> Self {
        let mut mode = Self::default();
        let words = script.lines().next().and_then(|line| line.strip_prefix("# mode: ")).unwrap_or_default();
        for word in words.split(' ') {
            match word.split_once('=') {
                Some(("lookback", ms)) => mode.lookback_ms = ms.parse().unwrap_or(mode.lookback_ms),
                _ => {
                    mode.delayed_name_removal &= word != "eager";
                    mode.type_and_unit_labels |= word == "types";
                }
            }
        }
        mode
    }
}
