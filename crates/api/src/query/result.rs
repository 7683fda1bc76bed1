//! What a query answers, as JSON.

use engine::{MatrixSeries, QueryResult, QueryTimes, Value, VectorSample};
use model::{Timestamp, format_float};

use super::statistics::{Shown, write_statistics};
use crate::answer::Pieces;
use crate::json::{Json, ToJson};

/// So many values are written at a time.
const PIECE_VALUES: usize = 256;

/// The answer to a query, part of which is written already.
pub(crate) struct QueryData {
    result: QueryResult,
    times: QueryTimes,
    shown: Shown,
    is_open: bool,
    /// How many series are written.
    series: usize,
    /// The next one of a matrix, and how many of its values are.
    current: Option<MatrixSeries>,
    values: usize,
    steps: StepTexts,
}

/// The times of the steps of a range query as JSON: they are the same for all series, and written once.
struct StepTexts {
    start_ms: i64,
    /// 0: there is one step.
    step_ms: i64,
    texts: Vec<Option<Box<str>>>,
}

impl QueryData {
    pub(crate) fn new(result: QueryResult, times: QueryTimes, shown: Shown) -> Self {
        let steps = StepTexts::new(times);
        Self { result, times, shown, is_open: false, series: 0, current: None, values: 0, steps }
    }

    /// Writes values; answers whether there are more.
    fn write_values(&mut self, json: &mut Json) -> bool {
        let (at, _) = self.times.bounds();
        let at = Timestamp(at);
        match &self.result.value {
            Value::Scalar(value) => write_text_at(json, at, &format_float(*value)),
            Value::String(text) => write_text_at(json, at, text),
            Value::Vector(samples) => {
                let (part, text) = (samples.iter().skip(self.series).take(PIECE_VALUES), text_of(at.as_ms()));
                self.series += part.map(|sample| write_sample(json, &text, sample)).count();
                return self.series < samples.len();
            }
            Value::Matrix(all) => {
                let Some(series) = self.current.take().or_else(|| all.get(self.series)) else { return false };
                self.values = write_series_part(json, &series, self.values, &mut self.steps);
                if self.values == value_count(&series) {
                    json.close_object();
                    (self.series, self.values) = (self.series + 1, 0);
                } else {
                    self.current = Some(series);
                }
                return self.series < all.len();
            }
        }
        false
    }

    fn open(&self, json: &mut Json) {
        let (result_type, is_list) = match &self.result.value {
            Value::Scalar(_) => ("scalar", false),
            Value::String(_) => ("string", false),
            Value::Vector(_) => ("vector", true),
            Value::Matrix(_) => ("matrix", true),
        };
        json.open_object();
        json.member("resultType", result_type);
        json.key("result");
        if is_list {
            json.open_array();
        }
    }

    fn close(&self, json: &mut Json) {
        if matches!(self.result.value, Value::Vector(_) | Value::Matrix(_)) {
            json.close_array();
        }
        write_statistics(json, &self.result.statistics, self.shown);
        json.close_object();
    }
}

impl StepTexts {
    fn new(times: QueryTimes) -> Self {
        Self { start_ms: times.bounds().0, step_ms: times.step_ms(), texts: Vec::new() }
    }

    fn write_sample(&mut self, json: &mut Json, time_ms: i64, value: f64) {
        let Some(step) = self.step_at(time_ms) else { return json.sample(&text_of(time_ms), value) };
        if step >= self.texts.len() {
            self.texts.resize(step + 1, None);
        }
        json.sample(self.texts[step].get_or_insert_with(|| text_of(time_ms)), value);
    }

    /// The step of a time, if it is that of one. Samples as they are stored have other times.
    fn step_at(&self, time_ms: i64) -> Option<usize> {
        let since = time_ms.checked_sub(self.start_ms)?;
        let is_step = self.step_ms > 0 && since >= 0 && since % self.step_ms == 0;
        if is_step { usize::try_from(since / self.step_ms).ok() } else { None }
    }
}

/// A time in seconds as JSON: whole, or with three decimals.
fn text_of(time_ms: i64) -> Box<str> {
    let mut json = Json::new();
    json.time(Timestamp(time_ms));
    String::from_utf8(json.into_bytes()).expect("digits are UTF-8").into()
}

impl Pieces for QueryData {
    fn write_next(&mut self, json: &mut Json) -> bool {
        if !std::mem::replace(&mut self.is_open, true) {
            self.open(json);
        }
        let is_left = self.write_values(json);
        if !is_left {
            self.close(json);
        }
        is_left
    }
}

fn write_text_at(json: &mut Json, at: Timestamp, text: &str) {
    json.open_array();
    json.short_time(at);
    json.text(text);
    json.close_array();
}

/// Writes a sample of a vector; its time is JSON already.
fn write_sample(json: &mut Json, time: &str, sample: &VectorSample) {
    json.open_object();
    json.member("metric", &sample.labels);
    match &sample.value {
        model::Value::Float(value) => json.key("value").sample(time, *value),
        model::Value::Histogram(histogram) => write_histogram(json.key("histogram"), time, histogram.as_ref()),
    }
    json.close_object();
}

fn value_count(series: &MatrixSeries) -> usize {
    series.floats.len() + series.histograms.len()
}

/// Writes the next values of a series, of which `written` are written, and answers how many are then. The object is left
/// open.
fn write_series_part(json: &mut Json, series: &MatrixSeries, written: usize, steps: &mut StepTexts) -> usize {
    if written == 0 {
        json.open_object();
        json.member("metric", &series.labels);
    }
    let floats = series.floats.len();
    let count = value_count(series);
    let end = count.min(written + PIECE_VALUES);
    for at in written..end {
        if at == 0 && floats > 0 {
            json.key("values").open_array();
        }
        if at == floats {
            json.key("histograms").open_array();
        }
        match at.checked_sub(floats) {
            None => steps.write_sample(json, series.floats[at].0, series.floats[at].1),
            Some(at) => {
                let (time_ms, histogram) = &series.histograms[at];
                write_histogram(json, &text_of(*time_ms), histogram.as_ref());
            }
        }
        if at + 1 == floats || at + 1 == count {
            json.close_array();
        }
    }
    end
}

fn write_histogram(json: &mut Json, time: &str, histogram: &impl ToJson) {
    json.open_array();
    json.raw(time);
    histogram.write(json);
    json.close_array();
}
