//! Asking all queries of a collection, once each.

mod pages;
mod scripts;
mod templates;

use engine::QueryTimes;

pub use pages::{demo, exposed};
pub use scripts::survey_scripts;
pub use templates::expand;

use crate::{Case, Data, Dice, Mode, OracleError, Outcome, Pair, Tally, compare, report, satisfying, shrink};

/// How many queries share series that were made for them.
const QUERIES_PER_LOAD: usize = 20;
/// More differences are counted, but not told.
const MAX_REPORTS: usize = 20;
/// An hour and a bit, which most rates of dashboards fit into, at the interval of dashboards.
const TIMES: QueryTimes = QueryTimes::Range { start: 600_000, end: 1_500_000, step: 60_000 };
const INSTANT: QueryTimes = QueryTimes::Instant(1_200_000);

/// Asks all queries about the same series.
///
/// # Errors
/// If the oracle ends or refuses the series.
pub fn survey(pair: &mut Pair, data: &Data, queries: &[String]) -> Result<Tally, OracleError> {
    let mut tally = Tally::default();
    pair.load(data)?;
    for query in queries {
        ask(pair, data, query, &mut tally)?;
    }
    Ok(tally)
}

/// Asks all queries, each about series that it finds.
///
/// # Errors
/// If the oracle ends or refuses the series.
pub fn survey_satisfied(pair: &mut Pair, queries: &[String], seed: u64) -> Result<Tally, OracleError> {
    let mut tally = Tally::default();
    let mut dice = Dice::from_seed(seed);
    for queries in queries.chunks(QUERIES_PER_LOAD) {
        let data = satisfying(&mut dice, queries);
        for query in queries {
            ask(pair, &data, query, &mut tally)?;
        }
    }
    Ok(tally)
}

/// Asks once and a range, letting names go at once and at the end.
fn ask(pair: &mut Pair, data: &Data, query: &str, tally: &mut Tally) -> Result<(), OracleError> {
    for times in [TIMES, INSTANT] {
        for delayed_name_removal in [false, true] {
            let mode = Mode { delayed_name_removal, ..Mode::default() };
            pair.load(data)?;
            let answers = pair.ask_loaded(query, times, mode)?;
            note(pair, data, (query, times, mode), answers, tally)?;
        }
    }
    Ok(())
}

/// Counts the answers to a question.
fn note(
    pair: &mut Pair,
    data: &Data,
    (query, times, mode): (&str, QueryTimes, Mode),
    (expected, got): (Outcome, Outcome),
    tally: &mut Tally,
) -> Result<(), OracleError> {
    tally.count(&expected);
    let Some(difference) = compare(query, &expected, &got) else { return Ok(()) };
    let case = Case { data: data.clone(), query: query.to_owned(), times, mode };
    if pair.is_undecided(&case, &expected)? {
        tally.undecided += 1;
        return Ok(());
    }
    *tally.differences.entry(difference.kind).or_default() += 1;
    if tally.reports.len() < MAX_REPORTS {
        let (case, difference) = shrink(pair, case, difference)?;
        let (expected, _) = pair.ask(&case)?;
        tally.reports.push(format!("# {query}\n{}\n{difference}\n", report(&case, &expected)));
    }
    Ok(())
}
