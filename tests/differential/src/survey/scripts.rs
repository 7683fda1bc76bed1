//! The queries of test scripts, whatever the scripts expect.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use engine::QueryTimes;
use futures::FutureExt;
use futures::future::BoxFuture;
use model::{Labels, Value, is_stale};
use promqltest::{Answer, Backend, LoadedSeries, MemoryBackend, Script, settings};
use series::Samples;
use tokio::runtime;

use super::note;
use crate::notation::{float_text, histogram_text};
use crate::{Data, Mode, OracleError, Pair, SeriesText, Tally};

/// Asks all queries of a test script.
///
/// # Errors
/// If it is no script, or the oracle ends.
pub fn survey_scripts(pair: &mut Pair, script: &str, mode: Mode) -> Result<Tally, OracleError> {
    let script = Script::parse(script).map_err(|error| OracleError::Load(error.to_string()))?;
    let mut options = settings();
    options.features.delayed_name_removal = mode.delayed_name_removal;
    let mut collector =
        Collector { backend: MemoryBackend::new(options), series: BTreeMap::new(), asked: vec![Asked::default()] };
    let runtime = runtime::Builder::new_current_thread().enable_time().build();
    let runtime = runtime.map_err(|source| OracleError::Talk { program: "our engine".into(), source })?;
    // The script is run for what it asks; whether the answers are those that it expects is not looked at.
    runtime.block_on(script.run(&mut collector));
    let mut tally = Tally::default();
    for Asked { data, questions } in collector.asked {
        let questions = questions.into_inner().unwrap_or_else(PoisonError::into_inner);
        match pair.load(&data) {
            // Days of samples some milliseconds apart make too long a line.
            Err(OracleError::Load(_)) => {
                tally.refused += questions.len();
                continue;
            }
            loaded => loaded?,
        }
        for (query, times) in questions {
            pair.load(&data)?;
            let answers = pair.ask_loaded(&query, times, mode)?;
            note(pair, &data, (&query, times, mode), answers, &mut tally)?;
        }
    }
    Ok(tally)
}

/// Remembers what a script asks, and about which series.
struct Collector {
    backend: MemoryBackend,
    series: BTreeMap<Labels, Vec<Samples>>,
    asked: Vec<Asked>,
}

/// Questions about the same series.
#[derive(Default)]
struct Asked {
    data: Data,
    questions: Mutex<Vec<(String, QueryTimes)>>,
}

impl Collector {
    fn remember(&self, query: &str, times: QueryTimes) {
        if let Some(asked) = self.asked.last() {
            asked.questions.lock().unwrap_or_else(PoisonError::into_inner).push((query.to_owned(), times));
        }
    }
}

impl Backend for Collector {
    fn clear(&mut self) -> BoxFuture<'_, Result<(), String>> {
        self.series.clear();
        self.asked.push(Asked::default());
        self.backend.clear()
    }

    fn load(&mut self, series: Vec<LoadedSeries>) -> BoxFuture<'_, Result<(), String>> {
        for LoadedSeries { labels, samples } in &series {
            self.series.entry(labels.clone()).or_default().push(samples.clone());
        }
        self.asked.push(Asked { data: data_of(&self.series), ..Asked::default() });
        self.backend.load(series)
    }

    fn instant<'a>(&'a self, query: &'a str, at_ms: i64) -> BoxFuture<'a, Result<Answer, String>> {
        self.remember(query, QueryTimes::Instant(at_ms));
        self.backend.instant(query, at_ms)
    }

    fn range<'a>(
        &'a self,
        query: &'a str,
        start_ms: i64,
        end_ms: i64,
        step_ms: i64,
    ) -> BoxFuture<'a, Result<Answer, String>> {
        self.remember(query, QueryTimes::Range { start: start_ms, end: end_ms, step: step_ms });
        self.backend.range(query, start_ms, end_ms, step_ms).boxed()
    }
}

/// Samples as series in the notation of scripts, with points as often as needed.
fn data_of(series: &BTreeMap<Labels, Vec<Samples>>) -> Data {
    let times =
        series.values().flatten().flat_map(|samples| samples.float_times.iter().chain(&samples.histogram_times));
    let interval_ms = times.fold(0, |interval, time| greatest_common_divisor(interval, *time)).max(1);
    let text = |(labels, all): (&Labels, &Vec<Samples>)| {
        let mut points = BTreeMap::new();
        for samples in all {
            let (mut float_starts, mut histogram_starts) =
                (samples.float_starts.iter(), samples.histogram_starts.iter());
            for sample in samples.iter() {
                let (value, start) = match &sample.value {
                    Value::Float(value) if is_stale(*value) => ("stale".to_owned(), float_starts.next()),
                    Value::Float(value) => (float_text(*value), float_starts.next()),
                    Value::Histogram(histogram) => (histogram_text(histogram), histogram_starts.next()),
                };
                let time = sample.timestamp.0;
                let start = start.copied().filter(|start| *start != 0).map(|start| start - time);
                points.insert(time / interval_ms, (value, start));
            }
        }
        let count = points.keys().last().map_or(0, |last| last + 1);
        let (points, starts): (Vec<_>, Vec<_>) =
            (0..count).map(|at| points.remove(&at).map_or((None, None), |(value, start)| (Some(value), start))).unzip();
        let starts = starts.iter().any(Option::is_some).then_some(starts);
        let others: Vec<(&str, &str)> = labels.iter().filter(|(name, _)| *name != model::METRIC_NAME).collect();
        SeriesText { labels: crate::data::series_name(labels.metric(), &others), points, starts }
    };
    Data { interval_ms, series: series.iter().map(text).collect() }
}

fn greatest_common_divisor(a: i64, b: i64) -> i64 {
    if b == 0 { a } else { greatest_common_divisor(b, a % b) }
}
