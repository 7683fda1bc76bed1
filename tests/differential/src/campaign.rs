//! Asking many questions at random.

use std::collections::BTreeMap;
use std::fmt;

use engine::QueryTimes;

use crate::{
    Case, Data, Dice, Difference, Kind, Mode, OracleError, Outcome, Pair, compare, corpus, random_query, report, shrink,
};

/// Questions about the same series; storing series costs more than asking.
const QUESTIONS_PER_ROUND: usize = 60;

/// Asks questions at random.
#[derive(Debug)]
pub struct Campaign {
    seed: u64,
    /// How many rounds there were.
    round: u64,
    /// Queries that people wrote.
    corpus: Vec<String>,
    tally: Tally,
}

/// What came of it.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    /// Questions asked.
    pub asked: usize,
    /// Those to which the oracle had an answer with something in it.
    pub answered: usize,
    /// Those on which it failed.
    pub failed: usize,
    /// Those not asked, since their series could not be stored.
    pub refused: usize,
    /// On which the engines differ, and the oracle with itself as well, since it takes series in the order of a hash map here
    /// and there; or in a way that is known.
    pub undecided: usize,
    /// On which the engines differ, by kind.
    pub differences: BTreeMap<Kind, usize>,
    /// The first ones, as small as they could be made.
    pub reports: Vec<String>,
}

impl Tally {
    /// Counts an answer of the oracle.
    pub(crate) fn count(&mut self, expected: &Outcome) {
        self.asked += 1;
        match expected {
            Outcome::Failed(_) => self.failed += 1,
            Outcome::Answered { value, .. } => self.answered += usize::from(!is_empty(value)),
        }
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { asked, answered, failed, refused, undecided, differences, .. } = self;
        let different: usize = differences.values().sum();
        write!(
            f,
            "{asked} questions, {answered} with an answer, {failed} that fail, {refused} refused, {undecided} undecided; \
             {different} answered differently {differences:?}"
        )
    }
}

/// More reports of a kind do not help.
const MAX_REPORTS_PER_KIND: usize = 5;

impl Campaign {
    /// Questions that this seed decides.
    pub fn new(seed: u64, corpus: Vec<String>) -> Self {
        Self { seed, round: 0, corpus, tally: Tally::default() }
    }

    /// What came of it so far.
    pub fn tally(&self) -> &Tally {
        &self.tally
    }

    /// Asks some questions about some series.
    ///
    /// # Errors
    /// If the oracle ends.
    pub fn round(&mut self, pair: &mut Pair) -> Result<(), OracleError> {
        let seed = self.seed.wrapping_mul(1_000_003).wrapping_add(self.round);
        self.round += 1;
        let mut dice = Dice::from_seed(seed);
        let is_corpus = !self.corpus.is_empty() && dice.one_in(4);
        let (data, queries) = if is_corpus {
            let queries: Vec<String> = (0..12).map(|_| corpus::mutated(&mut dice, &self.corpus)).collect();
            (corpus::satisfying(&mut dice, &queries), queries)
        } else {
            let data = Data::random(&mut dice);
            (data, (0..QUESTIONS_PER_ROUND / 2).map(|_| random_query(&mut dice)).collect())
        };
        match pair.load(&data) {
            Err(OracleError::Load(message)) => {
                self.note(Kind::Panic, format!("seed {seed}: {message}\n{data}"));
                return Ok(());
            }
            other => other?,
        }
        for query in queries {
            for _ in 0..2 {
                let (times, mode) = (random_times(&mut dice), random_mode(&mut dice));
                let case = Case { data: data.clone(), query: query.clone(), times, mode };
                self.question(pair, case, seed)?;
            }
        }
        Ok(())
    }

    fn question(&mut self, pair: &mut Pair, case: Case, seed: u64) -> Result<(), OracleError> {
        let (expected, got) = pair.ask(&case)?;
        self.tally.count(&expected);
        let Some(difference) = compare(&case.query, &expected, &got) else { return Ok(()) };
        if pair.is_undecided(&case, &expected)? {
            self.tally.undecided += 1;
            return Ok(());
        }
        let kind = difference.kind;
        if self.tally.differences.get(&kind).copied().unwrap_or_default() < MAX_REPORTS_PER_KIND {
            let text = explain(pair, case, difference, seed)?;
            self.note(kind, text);
        } else {
            *self.tally.differences.entry(kind).or_default() += 1;
        }
        Ok(())
    }

    fn note(&mut self, kind: Kind, text: String) {
        *self.tally.differences.entry(kind).or_default() += 1;
        self.tally.reports.push(text);
    }
}

/// A difference for readers: as small as it can be made, and the query that it came from.
fn explain(pair: &mut Pair, case: Case, difference: Difference, seed: u64) -> Result<String, OracleError> {
    let original = case.query.clone();
    let (case, difference) = shrink(pair, case, difference)?;
    let (expected, _) = pair.ask(&case)?;
    Ok(format!("# seed {seed}, first seen in: {original}\n{}\n{difference}\n", report(&case, &expected)))
}

fn is_empty(value: &engine::Value) -> bool {
    match value {
        engine::Value::Vector(vector) => vector.is_empty(),
        engine::Value::Matrix(matrix) => matrix.is_empty(),
        engine::Value::Scalar(_) | engine::Value::String(_) => false,
    }
}

/// Mostly within the half hour of which there are samples.
fn random_times(dice: &mut Dice) -> QueryTimes {
    let start = match dice.index(12) {
        0 => dice.within(-400_000..2_400_000),
        1..=3 => dice.within(120..1_100) * 1_000,
        _ => dice.within(4..35) * 30_000,
    };
    if dice.one_in(2) {
        return QueryTimes::Instant(start);
    }
    let step = [1_000, 7_000, 15_000, 30_000, 60_000, 90_000, 300_000, 1_234][dice.index(8)];
    let steps = dice.within(0..25);
    QueryTimes::Range { start, end: start + steps * step + dice.within(0..step), step }
}

fn random_mode(dice: &mut Dice) -> Mode {
    let lookback_ms = match dice.index(6) {
        0 => [1, 17_000, 30_000, 60_000, 600_000][dice.index(5)],
        _ => Mode::default().lookback_ms,
    };
    Mode { lookback_ms, delayed_name_removal: dice.one_in(2), type_and_unit_labels: dice.one_in(5) }
}
