//! Running scripts.

use std::fmt;

use engine::{MatrixSeries, Value};

use crate::native::native_histograms;
use crate::script::{CommandKind, Evaluation, Expected, Load, Times};
use crate::{Answer, Backend, Script, annotations, compare, rewrite};

/// The step of range queries that stand for instant ones, in ms.
const STEP: i64 = 60_000;

/// What became of a script.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// How many queries came to what they must.
    pub passed: usize,
    /// Those that did not, and what else went wrong.
    pub failures: Vec<Failure>,
}

/// Something that is not as the script says.
#[derive(Clone, Debug)]
pub struct Failure {
    /// The line of the command.
    pub line: usize,
    /// The query, possibly rewritten; empty if it is another command.
    pub query: String,
    /// What was expected, and what it is instead.
    pub message: String,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}: {}", self.line, self.query, self.message)
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} passed, {} failed", self.passed, self.failures.len())
    }
}

impl Script {
    /// Runs the script. Does not stop at the first failure.
    pub async fn run(&self, backend: &mut dyn Backend) -> Report {
        let mut report = Report::default();
        for command in &self.commands {
            let outcome = match &command.kind {
                CommandKind::Clear => backend.clear().await.map_err(|message| (String::new(), message)),
                CommandKind::Load(load) => run_load(load, backend).await.map_err(|message| (String::new(), message)),
                CommandKind::Evaluate(evaluation) => {
                    let outcome = run_evaluation(evaluation, backend).await;
                    report.passed += usize::from(outcome.is_ok());
                    outcome
                }
            };
            if let Err((query, message)) = outcome {
                report.failures.push(Failure { line: command.line, query, message });
            }
        }
        report
    }
}

async fn run_load(load: &Load, backend: &mut dyn Backend) -> Result<(), String> {
    let mut series = load.series.clone();
    if load.with_native {
        series.extend(native_histograms(&load.series)?);
    }
    backend.load(series).await
}

/// The query that went wrong, and how.
type Mismatch = (String, String);

async fn run_evaluation(evaluation: &Evaluation, backend: &dyn Backend) -> Result<(), Mismatch> {
    let query = &evaluation.query;
    match evaluation.times {
        Times::Range { start, end, step } => {
            let answer = backend.range(query, start, end, step).await;
            check_range(evaluation, answer, (start, step)).map_err(|message| (query.clone(), message))
        }
        Times::Instant(at) => {
            run_instant(evaluation, query, at, backend).await?;
            let Some(fixed) = rewrite::fixed_to(query, at) else { return Ok(()) };
            let times = if at == 0 { vec![-1000, 0, 1000] } else { vec![-10 * at, 0, at / 5, at, 10 * at] };
            for time in times {
                run_instant(evaluation, &fixed, time, backend).await?;
            }
            Ok(())
        }
    }
}

/// Runs a query at a time, and as a range query around it.
async fn run_instant(evaluation: &Evaluation, query: &str, at: i64, backend: &dyn Backend) -> Result<(), Mismatch> {
    let expectation = &evaluation.expectation;
    let answer = backend.instant(query, at).await;
    check_instant(evaluation, answer).map_err(|message| (format!("{query} at {at} ms"), message))?;
    let is_instant_only = rewrite::reads_bounds(query)
        || expectation.range_vector.is_some()
        || matches!(expectation.result, Expected::String(_))
        || expectation.failure.is_some()
        || expectation.is_ordered;
    if is_instant_only {
        return Ok(());
    }
    let answer = backend.range(query, at - STEP, at + STEP, STEP).await;
    check_middle(evaluation, answer, at).map_err(|message| (format!("{query} around {at} ms"), message))
}

/// Checks whether a query failed as it must; `None` if it did, the answer if it must not.
fn check_failure(evaluation: &Evaluation, answer: Result<Answer, String>) -> Result<Option<Answer>, String> {
    match (&evaluation.expectation.failure, answer) {
        (None, Ok(answer)) => Ok(Some(answer)),
        (None, Err(error)) => Err(format!("failed: {error}")),
        (Some(_), Ok(answer)) => Err(format!("expected a failure, got {:?}", answer.value)),
        (Some(Some(pattern)), Err(error)) if !pattern.matches(&error) => {
            Err(format!("expected the failure {:?}, got {error:?}", pattern.as_str()))
        }
        (Some(_), Err(_)) => Ok(None),
    }
}

fn check_instant(evaluation: &Evaluation, answer: Result<Answer, String>) -> Result<(), String> {
    let Some(answer) = check_failure(evaluation, answer)? else { return Ok(()) };
    let expectation = &evaluation.expectation;
    let mismatch = match (&expectation.result, expectation.range_vector) {
        (Expected::Series(series), Some(times)) => compare::matrix_mismatch(series, &answer.value, times),
        (expected, _) => compare::instant_mismatch(expected, &answer.value, expectation.is_ordered),
    };
    refuse(annotations::mismatch(expectation, &answer.annotations).or(mismatch))
}

fn check_range(evaluation: &Evaluation, answer: Result<Answer, String>, times: (i64, i64)) -> Result<(), String> {
    let Some(answer) = check_failure(evaluation, answer)? else { return Ok(()) };
    let expectation = &evaluation.expectation;
    let Expected::Series(series) = &expectation.result else {
        return Err("a range query has series as its result".to_owned());
    };
    let mismatch = compare::matrix_mismatch(series, &answer.value, times);
    refuse(annotations::mismatch(expectation, &answer.annotations).or(mismatch))
}

/// Checks the middle one of the steps of a range query against what is expected of an instant query.
fn check_middle(evaluation: &Evaluation, answer: Result<Answer, String>, at: i64) -> Result<(), String> {
    let answer = answer.map_err(|error| format!("failed: {error}"))?;
    let Value::Matrix(matrix) = &answer.value else { return Err(format!("expected a matrix, got {:?}", answer.value)) };
    let matrix: Vec<MatrixSeries> = matrix.iter().collect();
    let vector = compare::vector_at(&matrix, at);
    let value = match (&evaluation.expectation.result, vector.as_slice()) {
        (Expected::Scalar(_), [only]) => match only.value {
            model::Value::Float(value) => Value::Scalar(value),
            model::Value::Histogram(_) => Value::Vector(vector),
        },
        _ => Value::Vector(vector),
    };
    let mismatch = compare::instant_mismatch(&evaluation.expectation.result, &value, false);
    refuse(compare::order_mismatch(&matrix).or(mismatch))
}

fn refuse(mismatch: Option<String>) -> Result<(), String> {
    match mismatch {
        None => Ok(()),
        Some(message) => Err(message),
    }
}
