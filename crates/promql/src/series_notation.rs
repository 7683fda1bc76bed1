//! The notation of series in test scripts and in unit tests of rules: `up{job="api"} 1 2+1x3 _ stale`.
//!
//! After the labels of a series come items, separated by blanks:
//!
//! | item | points |
//! | --- | --- |
//! | `_`, `_x3` | one missing point, three |
//! | `stale` | a staleness marker |
//! | `1`, `1x3` | one float, four times the same |
//! | `1+2x3`, `1-2x3` | 1 3 5 7, and 1 −1 −3 −5 |
//! | `{{sum:5 buckets:[1 2]}}` | one histogram |
//! | `{{…}}x3`, `{{…}}+{{…}}x3` | four histograms, like floats |
//!
//! Items are kept as they are, since a short one can stand for billions of points; [`Item::points`] expands them.

mod histogram;
mod scanner;

use model::{Histogram, Labels, STALE_NAN};
use scanner::Scanner;

use crate::parser::parse_labels;
use crate::{ParseError, Sign};

/// A series with its points.
#[derive(Clone, Debug, PartialEq)]
pub struct Series {
    /// Its labels.
    pub labels: Labels,
    /// Its points, one interval apart.
    pub items: Vec<Item>,
}

/// One or more points.
#[derive(Clone, Debug, PartialEq)]
pub enum Item {
    /// No point at all.
    Missing {
        /// So many times.
        count: u64,
    },
    /// Floats; staleness markers are [`STALE_NAN`].
    Float {
        /// The first one.
        first: f64,
        /// What is added to get each next one.
        change: Option<f64>,
        /// How many there are.
        count: u64,
    },
    /// Native histograms.
    Histogram {
        /// The first one.
        first: Box<Histogram>,
        /// What is added or taken away to get each next one.
        change: Option<(Sign, Box<Histogram>)>,
        /// Whether the last one written says `counter_reset_hint`, so that an expectation includes it.
        is_hint_given: bool,
        /// How many there are.
        count: u64,
    },
}

/// What a series has at one time.
#[derive(Clone, Debug, PartialEq)]
pub enum Point {
    /// Nothing.
    Missing,
    /// A float, or a staleness marker.
    Float(f64),
    /// A native histogram.
    Histogram {
        /// The histogram.
        histogram: Box<Histogram>,
        /// Whether `counter_reset_hint` was written.
        is_hint_given: bool,
    },
}

/// The start timestamps of the points of a series: `up{job="api"}@st _ -30s -1m-1mx2`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StartTimes {
    /// The labels of the series.
    pub labels: Labels,
    /// Where the points start, as items like those of the points.
    pub items: Vec<StartItem>,
}

/// The start timestamps of one or more points.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StartItem {
    /// None is known.
    Missing {
        /// For so many points.
        count: u64,
    },
    /// Relative to each point's own timestamp.
    Relative {
        /// Milliseconds for the first point; mostly negative.
        first_ms: i64,
        /// Milliseconds added for each next one.
        change_ms: i64,
        /// For so many points.
        count: u64,
    },
}

/// Reads a series: its labels and its points.
///
/// # Errors
/// The first fault.
pub fn parse_series(text: &str) -> Result<Series, ParseError> {
    let (labels, rest) = parse_labels(text)?;
    let mut scanner = Scanner::new(text, text.len() - rest.len());
    let items = scanner.separated(Scanner::item)?;
    Ok(Series { labels, items })
}

/// Reads the start timestamps of a series; `None` if `@st` does not follow its labels, so that it is no such line.
///
/// # Errors
/// The first fault.
pub fn parse_start_times(text: &str) -> Result<Option<StartTimes>, ParseError> {
    let (labels, rest) = parse_labels(text)?;
    let Some(rest) = rest.strip_prefix("@st") else {
        return Ok(None);
    };
    let mut scanner = Scanner::new(text, text.len() - rest.len());
    let items = scanner.separated(Scanner::start_item)?;
    Ok(Some(StartTimes { labels, items }))
}

impl Item {
    /// How many points the item stands for.
    pub fn count(&self) -> u64 {
        match self {
            Self::Missing { count } | Self::Float { count, .. } | Self::Histogram { count, .. } => *count,
        }
    }

    /// The points, one by one. `combine` adds a histogram to another or takes it away, which is not known here.
    ///
    /// There may be billions: the caller takes as many as it has room for.
    pub fn points<E>(
        &self,
        mut combine: impl FnMut(&Histogram, Sign, &Histogram) -> Result<Histogram, E>,
    ) -> impl Iterator<Item = Result<Point, E>> {
        let mut last: Option<Point> = None;
        let mut left = self.count();
        std::iter::from_fn(move || {
            left = left.checked_sub(1)?;
            let next = self.next_point(last.as_ref(), &mut combine);
            last = next.as_ref().ok().cloned();
            Some(next)
        })
    }

    fn next_point<E>(
        &self,
        last: Option<&Point>,
        combine: &mut impl FnMut(&Histogram, Sign, &Histogram) -> Result<Histogram, E>,
    ) -> Result<Point, E> {
        Ok(match (self, last) {
            (Self::Missing { .. }, _) => Point::Missing,
            // Only a change is added: even 0 would change the bits of a staleness marker.
            (Self::Float { change: Some(change), .. }, Some(Point::Float(last))) => Point::Float(last + change),
            (Self::Float { first, .. }, _) => Point::Float(*first),
            (Self::Histogram { first, change, is_hint_given, .. }, last) => Point::Histogram {
                histogram: match (change, last) {
                    (Some((sign, change)), Some(Point::Histogram { histogram, .. })) => {
                        Box::new(combine(histogram, *sign, change)?)
                    }
                    _ => first.clone(),
                },
                is_hint_given: *is_hint_given,
            },
        })
    }
}

impl Scanner<'_> {
    fn item(&mut self) -> Result<Item, ParseError> {
        if self.accept("_") {
            let count = self.repetition()?.unwrap_or(1);
            return Ok(Item::Missing { count });
        }
        if self.accept("{{") {
            return self.histogram_item();
        }
        if self.rest().starts_with(|c: char| c.is_ascii_alphabetic()) {
            let start = self.at();
            let word = self.word();
            if word == "stale" {
                return Ok(Item::Float { first: STALE_NAN, change: None, count: 1 });
            }
            self.go_back_to(start);
        }
        let first = self.signed_number()?;
        let change = match self.sign() {
            Some(sign) => Some(sign.apply(self.number()?)),
            None => None,
        };
        let repetition = self.repetition()?;
        if change.is_some() && repetition.is_none() {
            return Err(self.unexpected("\"x\" and a number of repetitions"));
        }
        let count = repetition.map_or(1, |more| more.saturating_add(1));
        Ok(Item::Float { first, change, count })
    }

    /// The rest of histograms, whose opening braces were taken.
    fn histogram_item(&mut self) -> Result<Item, ParseError> {
        let start = self.at();
        let (first, mut is_hint_given) = self.histogram()?;
        let mut change = None;
        if let Some(sign) = self.sign() {
            if !self.accept("{{") {
                return Err(self.unexpected("\"{{\""));
            }
            let (histogram, is_given) = self.histogram()?;
            if first.schema > histogram.schema {
                let (from, to) = (histogram.schema, first.schema);
                let message = format!("error combining histograms: cannot merge from schema {from} to {to}");
                return Err(self.error_since(start, message));
            }
            is_hint_given = is_given;
            change = Some((sign, Box::new(histogram)));
        }
        let repetition = self.repetition()?;
        if change.is_some() && repetition.is_none() {
            return Err(self.unexpected("\"x\" and a number of repetitions"));
        }
        Ok(Item::Histogram {
            first: Box::new(first),
            change,
            is_hint_given,
            count: repetition.map_or(1, |more| more.saturating_add(1)),
        })
    }

    fn start_item(&mut self) -> Result<StartItem, ParseError> {
        if self.accept("_") {
            let count = self.repetition()?.unwrap_or(1);
            return Ok(StartItem::Missing { count });
        }
        let sign = self.sign().unwrap_or(Sign::Plus);
        let first_ms = self.duration(sign)?;
        let change_ms = match self.sign() {
            Some(sign) => Some(self.duration(sign)?),
            None => None,
        };
        let repetition = self.repetition()?;
        if change_ms.is_some() && repetition.is_none() {
            return Err(self.unexpected("\"x\" and a number of repetitions"));
        }
        Ok(StartItem::Relative {
            first_ms,
            change_ms: change_ms.unwrap_or_default(),
            count: repetition.map_or(1, |more| more.saturating_add(1)),
        })
    }
}

#[cfg(test)]
mod tests;
