//! Cases as test scripts, so that they can be read, kept and run again.

use engine::{MatrixSeries, QueryTimes, Value};
use model::{format_duration, quote};

use crate::notation::{float_text, histogram_text};
use crate::{Case, Mode, Outcome};

/// A case with what is expected of it.
pub fn report(case: &Case, expected: &Outcome) -> String {
    let mut text = format!("{}{}", mode_text(case.mode), case.data);
    match case.times {
        QueryTimes::Instant(at) => {
            text.push_str(&format!("eval instant at {} {}\n", time_text(at), case.query));
        }
        QueryTimes::Range { start, end, step } => {
            let [start, end, step] = [start, end, step].map(time_text);
            text.push_str(&format!("eval range from {start} to {end} step {step} {}\n", case.query));
        }
    }
    for line in expectation(case.times, expected) {
        text.push_str(&format!("  {line}\n"));
    }
    text
}

fn mode_text(mode: Mode) -> String {
    let default = Mode::default();
    let mut words = Vec::new();
    if mode.lookback_ms != default.lookback_ms {
        words.push(format!("lookback={}", mode.lookback_ms));
    }
    if !mode.delayed_name_removal {
        words.push("eager".to_owned());
    }
    if mode.type_and_unit_labels {
        words.push("types".to_owned());
    }
    if words.is_empty() { String::new() } else { format!("# mode: {}\n", words.join(" ")) }
}

/// A time in ms as a duration. Scripts know no negative ones: those are for readers only.
fn time_text(ms: i64) -> String {
    if ms < 0 { format!("-{}", format_duration(-ms)) } else { format_duration(ms) }
}

fn expectation(times: QueryTimes, outcome: &Outcome) -> Vec<String> {
    let (value, warnings, infos) = match outcome {
        Outcome::Failed(message) => return vec![format!("expect fail msg: {message}")],
        Outcome::Answered { value, warnings, infos } => (value, warnings, infos),
    };
    let mut lines: Vec<String> = Vec::new();
    for (texts, word) in [(warnings, "warn"), (infos, "info")] {
        lines.extend(texts.iter().map(|text| format!("expect {word} msg: {text}")));
        if texts.is_empty() {
            lines.push(format!("expect no_{word}"));
        }
    }
    match value {
        Value::Scalar(value) => lines.push(float_text(*value)),
        Value::String(text) => lines.push(format!("expect string {}", quote(text))),
        Value::Vector(vector) => lines.extend(vector.iter().map(|sample| match &sample.value {
            model::Value::Float(value) => format!("{} {}", sample.labels, float_text(*value)),
            model::Value::Histogram(histogram) => format!("{} {}", sample.labels, histogram_text(histogram)),
        })),
        Value::Matrix(matrix) => lines.extend(matrix.iter().map(|series| series_text(&series, times))),
    }
    lines
}

fn series_text(series: &MatrixSeries, times: QueryTimes) -> String {
    let floats = series.floats.iter().map(|(time, value)| (*time, float_text(*value)));
    let histograms = series.histograms.iter().map(|(time, value)| (*time, histogram_text(value)));
    let points: std::collections::BTreeMap<i64, String> = floats.chain(histograms).collect();
    let shown: Vec<String> = match times {
        QueryTimes::Instant(_) => points.iter().map(|(time, text)| format!("{text}@{time}")).collect(),
        QueryTimes::Range { start, end, step } => {
            let steps = (0..=(end - start) / step).map(|number| start + number * step);
            steps.map(|time| points.get(&time).cloned().unwrap_or_else(|| "_".to_owned())).collect()
        }
    };
    format!("{} {}", series.labels, shown.join(" "))
}
