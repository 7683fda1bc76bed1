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
    /// How many values of the next one are.
    values: usize,
}

impl QueryData {
    pub(crate) fn new(result: QueryResult, times: QueryTimes, shown: Shown) -> Self {
        Self { result, times, shown, is_open: false, series: 0, values: 0 }
    }

    /// Writes values; answers whether there are more.
    fn write_values(&mut self, json: &mut Json) -> bool {
        let (at, _) = self.times.bounds();
        let at = Timestamp(at);
        match &self.result.value {
            Value::Scalar(value) => write_text_at(json, at, &format_float(*value)),
            Value::String(text) => write_text_at(json, at, text),
            Value::Vector(samples) => {
                let part = samples.iter().skip(self.series).take(PIECE_VALUES);
                self.series += part.map(|sample| write_sample(json, at, sample)).count();
                return self.series < samples.len();
            }
            Value::Matrix(all) => {
                let Some(series) = all.get(self.series) else { return false };
                self.values = write_series_part(json, series, self.values);
                if self.values == value_count(series) {
                    json.close_object();
                    (self.series, self.values) = (self.series + 1, 0);
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

fn write_sample(json: &mut Json, at: Timestamp, sample: &VectorSample) {
    json.open_object();
    json.member("metric", &sample.labels);
    match &sample.value {
        model::Value::Float(value) => {
            json.key("value");
            write_float(json, at.as_ms(), *value);
        }
        model::Value::Histogram(histogram) => {
            json.key("histogram");
            write_histogram(json, at.as_ms(), histogram.as_ref());
        }
    }
    json.close_object();
}

fn value_count(series: &MatrixSeries) -> usize {
    series.floats.len() + series.histograms.len()
}

/// Writes the next values of a series, of which `written` are written, and answers how many are then. The object is left
/// open.
fn write_series_part(json: &mut Json, series: &MatrixSeries, written: usize) -> usize {
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
            None => write_float(json, series.floats[at].0, series.floats[at].1),
            Some(at) => write_histogram(json, series.histograms[at].0, series.histograms[at].1.as_ref()),
        }
        if at + 1 == floats || at + 1 == count {
            json.close_array();
        }
    }
    end
}

fn write_float(json: &mut Json, time_ms: i64, value: f64) {
    json.open_array();
    json.time(Timestamp(time_ms));
    json.sample_value(value);
    json.close_array();
}

fn write_histogram(json: &mut Json, time_ms: i64, histogram: &impl ToJson) {
    json.open_array();
    json.time(Timestamp(time_ms));
    histogram.write(json);
    json.close_array();
}
