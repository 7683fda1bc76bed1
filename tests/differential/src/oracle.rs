//! The engine of the real Prometheus: a process that reads questions and writes answers, `tests/tools/oracle`.

use std::env;
use std::io::{BufRead, BufReader, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::Arc;

use engine::{MatrixSeries, QueryTimes, Value, VectorSample};
use model::{CounterReset, Histogram, Labels, Span};
use serde::{Deserialize, Serialize};

use crate::{Mode, Outcome};

/// The process. It ends when this is dropped.
#[derive(Debug)]
pub struct Oracle {
    process: Child,
    /// `None` only while it is being dropped.
    questions: Option<BufWriter<ChildStdin>>,
    answers: BufReader<ChildStdout>,
}

/// Why the oracle could not be asked.
#[derive(Debug, thiserror::Error)]
pub enum OracleError {
    /// It does not start, or ended.
    #[error("talk to {program}")]
    Talk {
        /// The program.
        program: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// It says what this crate does not understand.
    #[error("read the answer {answer:?}")]
    Answer {
        /// The line.
        answer: String,
        /// Why not.
        source: serde_json::Error,
    },
    /// It could not store the series.
    #[error("the oracle refuses the series: {0}")]
    Load(String),
}

#[derive(Serialize)]
struct Load<'a> {
    load: &'a str,
}

#[derive(Serialize)]
struct Question<'a> {
    query: &'a str,
    start: i64,
    end: i64,
    step: i64,
    lookback: u64,
    delayed: bool,
    types: bool,
}

#[derive(Deserialize)]
#[serde(default, deny_unknown_fields)]
#[derive(Default)]
struct Answer {
    error: Option<String>,
    kind: String,
    text: String,
    series: Vec<Series>,
    warnings: Vec<String>,
    infos: Vec<String>,
}

#[derive(Deserialize)]
struct Series {
    labels: Vec<String>,
    #[serde(default)]
    floats: Vec<FloatPoint>,
    #[serde(default)]
    histograms: Vec<HistogramPoint>,
}

#[derive(Deserialize)]
struct FloatPoint {
    time: i64,
    value: Number,
}

#[derive(Deserialize)]
struct HistogramPoint {
    time: i64,
    schema: i8,
    hint: u8,
    count: Number,
    sum: Number,
    zero_threshold: Number,
    zero_count: Number,
    #[serde(default)]
    positive_spans: Vec<(i32, u32)>,
    #[serde(default)]
    negative_spans: Vec<(i32, u32)>,
    #[serde(default)]
    positive_buckets: Vec<Number>,
    #[serde(default)]
    negative_buckets: Vec<Number>,
    #[serde(default)]
    custom_values: Vec<Number>,
}

/// A number as a text, since JSON has neither NaN nor infinities.
#[derive(Clone, Copy, Deserialize)]
#[serde(try_from = "String")]
struct Number(f64);

impl TryFrom<String> for Number {
    type Error = std::num::ParseFloatError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse().map(Self)
    }
}

impl Oracle {
    /// Where the program is: `RINGWOOD_ORACLE`, or where `make tools` puts it; `None` if it is not there.
    pub fn find() -> Option<PathBuf> {
        if let Some(program) = env::var_os("RINGWOOD_ORACLE") {
            return Some(program.into());
        }
        let here = env::current_dir().ok()?;
        here.ancestors().map(|folder| folder.join("target/tools/oracle")).find(|program| program.is_file())
    }

    /// Starts the program.
    ///
    /// # Errors
    /// If it does not start.
    pub fn start(program: &Path) -> Result<Self, OracleError> {
        let talk = |source| OracleError::Talk { program: program.to_owned(), source };
        let mut command = Command::new(program);
        let mut process = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().map_err(talk)?;
        let questions = process.stdin.take().expect("the input is a pipe");
        let answers = process.stdout.take().expect("the output is a pipe");
        Ok(Self { process, questions: Some(BufWriter::new(questions)), answers: BufReader::new(answers) })
    }

    /// Replaces all series by those of `load` commands.
    ///
    /// # Errors
    /// If they cannot be stored, or the process ended.
    pub fn load(&mut self, script: &str) -> Result<(), OracleError> {
        match self.exchange(&Load { load: script })?.error {
            Some(error) => Err(OracleError::Load(error)),
            None => Ok(()),
        }
    }

    /// Asks.
    ///
    /// # Errors
    /// If the process ended. A query that fails is an [`Outcome`].
    pub fn ask(&mut self, query: &str, times: QueryTimes, mode: Mode) -> Result<Outcome, OracleError> {
        let (start, end) = times.bounds();
        let question = Question {
            query,
            start,
            end,
            step: times.step_ms(),
            lookback: mode.lookback_ms,
            delayed: mode.delayed_name_removal,
            types: mode.type_and_unit_labels,
        };
        Ok(self.exchange(&question)?.into_outcome())
    }

    fn exchange(&mut self, message: &impl Serialize) -> Result<Answer, OracleError> {
        let answer = self.talk(message).map_err(|source| OracleError::Talk { program: "the oracle".into(), source })?;
        serde_json::from_str(&answer).map_err(|source| OracleError::Answer { answer, source })
    }

    fn talk(&mut self, message: &impl Serialize) -> std::io::Result<String> {
        let questions = self.questions.as_mut().expect("it is only taken when this is dropped");
        serde_json::to_writer(&mut *questions, message)?;
        questions.write_all(b"\n")?;
        questions.flush()?;
        let mut answer = String::new();
        self.answers.read_line(&mut answer)?;
        Ok(answer)
    }
}

impl Drop for Oracle {
    fn drop(&mut self) {
        // It ends with its input, and then removes what it stored.
        self.questions = None;
        drop(self.process.wait());
    }
}

impl Answer {
    fn into_outcome(self) -> Outcome {
        if let Some(message) = self.error {
            return Outcome::Failed(message);
        }
        let series = self.series.into_iter().map(Series::into_matrix);
        let value = match self.kind.as_str() {
            "scalar" => Value::Scalar(self.text.parse().unwrap_or(f64::NAN)),
            "string" => Value::String(self.text),
            "vector" => Value::Vector(series.filter_map(into_sample).collect()),
            _ => Value::Matrix(series.collect()),
        };
        Outcome::Answered { value, warnings: self.warnings, infos: self.infos }
    }
}

fn into_sample(series: MatrixSeries) -> Option<VectorSample> {
    let float = series.floats.first().map(|(_, value)| model::Value::Float(*value));
    let value = float.or_else(|| series.histograms.into_iter().next().map(|(_, h)| model::Value::Histogram(h)))?;
    Some(VectorSample { labels: series.labels, value })
}

impl Series {
    fn into_matrix(self) -> MatrixSeries {
        let pairs = self.labels.chunks_exact(2).map(|pair| (pair[0].as_str(), pair[1].as_str()));
        MatrixSeries {
            labels: Labels::from_pairs(pairs),
            floats: self.floats.into_iter().map(|point| (point.time, point.value.0)).collect(),
            histograms: self.histograms.into_iter().map(|point| (point.time, Arc::new(point.into()))).collect(),
        }
    }
}

impl From<HistogramPoint> for Histogram {
    fn from(point: HistogramPoint) -> Self {
        let spans =
            |spans: Vec<(i32, u32)>| spans.into_iter().map(|(offset, length)| Span { offset, length }).collect();
        let numbers = |numbers: Vec<Number>| numbers.into_iter().map(|number| number.0).collect();
        Self {
            schema: point.schema,
            counter_reset: match point.hint {
                1 => CounterReset::Reset,
                2 => CounterReset::NotReset,
                3 => CounterReset::Gauge,
                _ => CounterReset::Unknown,
            },
            zero_threshold: point.zero_threshold.0,
            zero_count: point.zero_count.0,
            count: point.count.0,
            sum: point.sum.0,
            positive_spans: spans(point.positive_spans),
            positive_buckets: numbers(point.positive_buckets),
            negative_spans: spans(point.negative_spans),
            negative_buckets: numbers(point.negative_buckets),
            custom_values: numbers(point.custom_values),
        }
    }
}
