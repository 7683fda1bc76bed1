//! Native histograms: `{{schema:1 sum:5 count:4 buckets:[1 2 1]}}`.

use model::{CounterReset, Histogram, Span, quote};

use super::scanner::Scanner;
use crate::ParseError;

const EXPECTED: &str = "histogram description key, e.g. buckets:[5 10 7]";

/// The keys, so that none is given twice.
const KEYS: [&str; 11] = [
    "schema",
    "sum",
    "count",
    "z_bucket",
    "z_bucket_w",
    "custom_values",
    "buckets",
    "offset",
    "n_buckets",
    "n_offset",
    "counter_reset_hint",
];

impl Scanner<'_> {
    /// The rest of a histogram, whose opening braces were taken, and whether it says something about resets.
    pub(super) fn histogram(&mut self) -> Result<(Histogram, bool), ParseError> {
        let mut histogram = empty();
        let (mut offset, mut negative_offset) = (0, 0);
        let mut is_hint_given = false;
        let mut given = [false; KEYS.len()];
        loop {
            let has_blanks = self.skip_blanks();
            if self.accept("}}") {
                break;
            }
            // Blanks stand between keys, but not before the first one.
            if has_blanks == (given == [false; KEYS.len()]) {
                return Err(self.unexpected(EXPECTED));
            }
            let start = self.at();
            let key = self.key(&mut given)?;
            match key {
                "schema" => histogram.schema = self.integer_of(start)?,
                "sum" => histogram.sum = self.signed_number()?,
                "count" => histogram.count = self.signed_number()?,
                "z_bucket" => histogram.zero_count = self.signed_number()?,
                "z_bucket_w" => histogram.zero_threshold = self.number()?,
                "custom_values" => histogram.custom_values = self.numbers()?,
                "buckets" => histogram.positive_buckets = self.numbers()?,
                "offset" => offset = self.integer_of(start)?,
                "n_buckets" => histogram.negative_buckets = self.numbers()?,
                "n_offset" => negative_offset = self.integer_of(start)?,
                _ => {
                    histogram.counter_reset = self.counter_reset()?;
                    is_hint_given = true;
                }
            }
        }
        histogram.positive_spans = spans(offset, &histogram.positive_buckets);
        histogram.negative_spans = spans(negative_offset, &histogram.negative_buckets);
        Ok((histogram, is_hint_given))
    }

    /// A key with its colon.
    fn key(&mut self, given: &mut [bool; KEYS.len()]) -> Result<&'static str, ParseError> {
        let start = self.at();
        let word = self.word();
        let Some(at) = KEYS.iter().position(|key| key.eq_ignore_ascii_case(word)) else {
            let message = format!("bad histogram descriptor found: {}", quote(word));
            return Err(self.error_since(start, message));
        };
        if !self.accept(":") {
            return Err(self.error_since(start, "missing `:` for histogram descriptor"));
        }
        if std::mem::replace(&mut given[at], true) {
            let message = format!("duplicate key {} in histogram", quote(KEYS[at]));
            return Err(self.error_since(start, message));
        }
        Ok(KEYS[at])
    }

    /// A whole number that fits what it is for.
    fn integer_of<T: TryFrom<i64>>(&mut self, start: usize) -> Result<T, ParseError> {
        let value = self.integer()?;
        value.try_into().map_err(|_| self.error_since(start, format!("{value} is out of range")))
    }

    /// Numbers in brackets, at least one.
    fn numbers(&mut self) -> Result<Vec<f64>, ParseError> {
        if !self.accept("[") {
            return Err(self.unexpected("\"[\""));
        }
        let mut numbers = vec![self.signed_number()?];
        loop {
            let has_blanks = self.skip_blanks();
            if self.accept("]") {
                return Ok(numbers);
            }
            if !has_blanks {
                return Err(self.unexpected("\"]\""));
            }
            numbers.push(self.signed_number()?);
        }
    }

    fn counter_reset(&mut self) -> Result<CounterReset, ParseError> {
        let start = self.at();
        let word = self.word();
        Ok(match word.to_ascii_lowercase().as_str() {
            "unknown" => CounterReset::Unknown,
            "reset" => CounterReset::Reset,
            "not_reset" => CounterReset::NotReset,
            "gauge" => CounterReset::Gauge,
            _ => {
                let message = format!("bad histogram descriptor found: {}", quote(word));
                return Err(self.error_since(start, message));
            }
        })
    }
}

fn empty() -> Histogram {
    Histogram {
        schema: 0,
        counter_reset: CounterReset::Unknown,
        zero_threshold: 0.0,
        zero_count: 0.0,
        count: 0.0,
        sum: 0.0,
        positive_spans: Vec::new(),
        positive_buckets: Vec::new(),
        negative_spans: Vec::new(),
        negative_buckets: Vec::new(),
        custom_values: Vec::new(),
    }
}

/// All buckets side by side, from the one of index `offset` on.
fn spans(offset: i32, buckets: &[f64]) -> Vec<Span> {
    if buckets.is_empty() {
        return Vec::new();
    }
    let length = buckets.len() as u32; // At most as long as the text.
    vec![Span { offset, length }]
}
