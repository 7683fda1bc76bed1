//! Making a case on which the engines differ as small as it can be.

mod simpler;

use engine::QueryTimes;

use crate::{Case, Data, Difference, Mode, OracleError, Pair};

/// How many questions may be asked for one case.
const MAX_QUESTIONS: usize = 1500;

/// Drops series, points and parts of the query as long as the answers still differ in the same kind.
///
/// # Errors
/// If the oracle ends.
pub fn shrink(pair: &mut Pair, case: Case, difference: Difference) -> Result<(Case, Difference), OracleError> {
    let mut shrinking = Shrinking { pair, case, difference, left: MAX_QUESTIONS };
    while shrinking.pass()? {}
    Ok((shrinking.case, shrinking.difference))
}

struct Shrinking<'a> {
    pair: &'a mut Pair,
    case: Case,
    difference: Difference,
    /// How many questions may still be asked.
    left: usize,
}

impl Shrinking<'_> {
    /// Tries everything once. Whether it became smaller.
    fn pass(&mut self) -> Result<bool, OracleError> {
        let mut is_smaller = self.simplify_query()?;
        is_smaller |= self.drop_series()?;
        is_smaller |= self.simplify_times()?;
        is_smaller |= self.simplify_query()?;
        is_smaller |= self.drop_points()?;
        Ok(is_smaller && self.left > 0)
    }

    /// Takes a smaller case if the answers to it still differ.
    fn accept(&mut self, smaller: Case) -> Result<bool, OracleError> {
        if self.left == 0 {
            return Ok(false);
        }
        self.left -= 1;
        let difference = match self.pair.difference(&smaller) {
            Ok(difference) => difference,
            Err(OracleError::Load(_)) => None,
            Err(error) => return Err(error),
        };
        let Some(difference) = difference.filter(|difference| difference.kind == self.difference.kind) else {
            return Ok(false);
        };
        (self.case, self.difference) = (smaller, difference);
        Ok(true)
    }

    fn with_data(&self, change: impl FnOnce(&mut Data)) -> Case {
        let mut smaller = self.case.clone();
        change(&mut smaller.data);
        smaller
    }

    fn simplify_query(&mut self) -> Result<bool, OracleError> {
        let mut is_smaller = false;
        'again: loop {
            for query in simpler::queries(&self.case.query) {
                if self.accept(Case { query, ..self.case.clone() })? {
                    is_smaller = true;
                    continue 'again;
                }
            }
            return Ok(is_smaller);
        }
    }

    /// Drops ever smaller runs of series.
    fn drop_series(&mut self) -> Result<bool, OracleError> {
        let mut is_smaller = false;
        let mut run = self.case.data.series.len().div_ceil(2);
        while run > 0 {
            let mut at = 0;
            while at < self.case.data.series.len() {
                let end = (at + run).min(self.case.data.series.len());
                if self.accept(self.with_data(|data| drop(data.series.drain(at..end))))? {
                    is_smaller = true;
                } else {
                    at = end;
                }
            }
            run /= 2;
        }
        Ok(is_smaller)
    }

    /// Drops start times, and ever smaller runs of points.
    fn drop_points(&mut self) -> Result<bool, OracleError> {
        let mut is_smaller = false;
        for series in 0..self.case.data.series.len() {
            if self.case.data.series[series].starts.is_some() {
                is_smaller |= self.accept(self.with_data(|data| data.series[series].starts = None))?;
            }
            let count = self.case.data.series[series].points.len();
            let mut run = count.div_ceil(2);
            while run > 0 {
                for at in (0..count).step_by(run) {
                    let end = (at + run).min(count);
                    if self.case.data.series[series].points[at..end].iter().all(Option::is_none) {
                        continue;
                    }
                    is_smaller |= self.accept(self.with_data(|data| data.series[series].blank(at..end)))?;
                }
                run /= 2;
            }
        }
        Ok(is_smaller)
    }

    fn simplify_times(&mut self) -> Result<bool, OracleError> {
        let mode = Mode { lookback_ms: Mode::default().lookback_ms, ..self.case.mode };
        let mut modes = vec![mode, Mode { type_and_unit_labels: false, ..mode }, Mode::default()];
        modes.retain(|mode| *mode != self.case.mode);
        let mut is_smaller = false;
        for mode in modes {
            is_smaller |= self.accept(Case { mode, ..self.case.clone() })?;
        }
        let QueryTimes::Range { start, end, step } = self.case.times else { return Ok(is_smaller) };
        let steps = (end - start) / step;
        for number in [0, steps / 2, steps] {
            if self.accept(Case { times: QueryTimes::Instant(start + number * step), ..self.case.clone() })? {
                return Ok(true);
            }
        }
        if steps > 1 {
            let middle = start + steps / 2 * step;
            for (start, end) in [(start, middle), (middle, end), (start + step, end), (start, end - step)] {
                let times = QueryTimes::Range { start, end, step };
                if self.accept(Case { times, ..self.case.clone() })? {
                    return Ok(true);
                }
            }
        }
        Ok(is_smaller)
    }
}
