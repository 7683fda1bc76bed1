//! Asking all queries of a collection, once each.

mod pages;
mod templates;

use engine::QueryTimes;

pub use pages::{demo, exposed};
pub use templates::expand;

use crate::{Case, Data, Dice, Kind, Mode, OracleError, Outcome, Pair, Tally, compare, report, satisfying, shrink};

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

fn ask(pair: &mut Pair, data: &Data, query: &str, tally: &mut Tally) -> Result<(), OracleError> {
    for times in [TIMES, INSTANT] {
        for delayed_name_removal in [false, true] {
            let mode = Mode { delayed_name_removal, ..Mode::default() };
            pair.load(data)?;
            let (expected, got) = pair.ask_loaded(query, times, mode)?;
            tally.count(&expected);
            let Some(difference) = compare(query, &expected, &got) else { continue };
            let case = Case { data: data.clone(), query: query.to_owned(), times, mode };
            if pair.is_undecided(&case, &expected)? {
                tally.undecided += 1;
                continue;
            }
            let kind: Kind = difference.kind;
            let count = tally.differences.entry(kind).or_default();
            *count += 1;
            if tally.reports.len() < MAX_REPORTS {
                let (case, difference) = shrink(pair, case, difference)?;
                let (expected, _): (Outcome, Outcome) = pair.ask(&case)?;
                tally.reports.push(format!("# {query}\n{}\n{difference}\n", report(&case, &expected)));
            }
        }
    }
    Ok(())
}
