//! Both engines, over the same series.

use std::path::Path;

use engine::QueryTimes;

use crate::known::may_differ;
use crate::{Case, Data, Difference, Mode, Oracle, OracleError, Ours, Outcome, compare};

/// How often an oracle is asked again. Go's maps give two entries in the other order only once in eight times.
const ASK_AGAIN: usize = 40;

/// Both engines, over the same series.
#[derive(Debug)]
pub struct Pair {
    oracle: Oracle,
    ours: Ours,
    /// What both have stored, as a script.
    loaded: String,
}

impl Pair {
    /// Starts the oracle.
    ///
    /// # Errors
    /// If it does not start.
    pub fn start(oracle: &Path) -> Result<Self, OracleError> {
        let ours = Ours::new().map_err(|source| OracleError::Talk { program: "our engine".into(), source })?;
        Ok(Self { oracle: Oracle::start(oracle)?, ours, loaded: String::new() })
    }

    /// Stores series in both.
    ///
    /// # Errors
    /// [`OracleError::Load`] if one of them refuses the series; each other one if the oracle ended.
    pub fn load(&mut self, data: &Data) -> Result<(), OracleError> {
        let script = data.to_string();
        if script == self.loaded {
            return Ok(());
        }
        // If one of them fails, they do not have the same.
        self.loaded.clear();
        self.oracle.load(&script)?;
        self.ours.load(&script).map_err(OracleError::Load)?;
        self.loaded = script;
        Ok(())
    }

    /// What both answer: the oracle first.
    ///
    /// # Errors
    /// Those of [`Self::load`].
    pub fn ask(&mut self, case: &Case) -> Result<(Outcome, Outcome), OracleError> {
        self.load(&case.data)?;
        self.ask_loaded(&case.query, case.times, case.mode)
    }

    /// What both answer about the series that were stored last.
    ///
    /// # Errors
    /// If the oracle ended.
    pub fn ask_loaded(
        &mut self,
        query: &str,
        times: QueryTimes,
        mode: Mode,
    ) -> Result<(Outcome, Outcome), OracleError> {
        let expected = self.oracle.ask(query, times, mode)?;
        Ok((expected, self.ours.ask(query, times, mode)))
    }

    /// How the answers differ, if they do and the oracle is sure of its own.
    ///
    /// # Errors
    /// Those of [`Self::load`].
    pub fn difference(&mut self, case: &Case) -> Result<Option<Difference>, OracleError> {
        let (expected, got) = self.ask(case)?;
        let difference = compare(&case.query, &expected, &got);
        Ok(if difference.is_some() && self.is_undecided(case, &expected)? { None } else { difference })
    }

    /// Whether a difference says nothing: the oracle, when it is asked again, answers differently itself, or it is one of the
    /// known ones.
    ///
    /// # Errors
    /// Those of [`Self::load`].
    pub fn is_undecided(&mut self, case: &Case, answered: &Outcome) -> Result<bool, OracleError> {
        if may_differ(case) {
            return Ok(true);
        }
        for _ in 0..ASK_AGAIN {
            let again = self.oracle.ask(&case.query, case.times, case.mode)?;
            if compare(&case.query, answered, &again).is_some() {
                return Ok(true);
            }
        }
        Ok(false)
    }
}
