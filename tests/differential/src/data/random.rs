//! Series at random: few of them, which look much like each other and like those of real targets, so that queries match,
//! join and collide.

use std::collections::BTreeMap;

use model::quote;

use super::distribution::Distribution;
use super::{Data, SeriesText};
use crate::Dice;
use crate::notation::float_text;

/// Metrics, and what their values are like. [`crate::random_query`] asks for these.
pub(crate) const METRICS: [(&str, Shape); 12] = [
    ("requests_total", Shape::Counter),
    ("errors_total", Shape::Counter),
    ("temperature", Shape::Gauge),
    ("free_bytes", Shape::Gauge),
    ("odd", Shape::Odd),
    ("latency", Shape::Exponential),
    ("size", Shape::Exponential),
    ("duration", Shape::Custom),
    ("mixed", Shape::Mixed),
    ("latency_bucket", Shape::Classic),
    ("target_info", Shape::Info),
    ("http.load", Shape::Gauge),
];

/// What the values of a metric are like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shape {
    Counter,
    Gauge,
    /// NaN, infinities, and the largest and the smallest numbers.
    Odd,
    Exponential,
    Custom,
    /// Floats and histograms.
    Mixed,
    /// The buckets of a classic histogram.
    Classic,
    Info,
}

/// No subnormal numbers: Go's logarithm of them is wrong on some processors.
const ODD: [f64; 9] = [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 0.0, -0.0, 1e308, -1e308, 1e-300, 3.5];
const BUCKETS: [&str; 5] = ["0.1", "1", "2.5", "10", "+Inf"];

impl Data {
    /// Some series.
    pub fn random(dice: &mut Dice) -> Self {
        let mut data = Self::at_random_rhythm(dice);
        let rhythm = Rhythm::random(dice, data.interval_ms);
        for (metric, shape) in METRICS {
            if dice.one_in(6) {
                continue;
            }
            for _ in 0..dice.within(1..5) {
                let labels = random_labels(dice, shape);
                match shape {
                    Shape::Classic => data.add_classic(dice, metric, &labels, rhythm),
                    _ => data.add(random_series(dice, series_name(metric, &labels), shape, rhythm)),
                }
            }
        }
        data
    }

    /// No series yet.
    pub(crate) fn at_random_rhythm(dice: &mut Dice) -> Self {
        let interval_ms = [1_000, 15_000, 30_000, 60_000][dice.index(4)];
        Self { interval_ms, series: Vec::new() }
    }

    /// Adds a series, or the buckets of a histogram, whose values are what the name promises.
    pub(crate) fn add_metric(&mut self, dice: &mut Dice, name: &str, labels: &[(String, String)]) {
        let rhythm = Rhythm::random(dice, self.interval_ms);
        let labels: Vec<(&str, &str)> = labels.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let is_counter = ["_total", "_sum", "_count"].iter().any(|ending| name.ends_with(ending));
        if name.ends_with("_bucket") {
            let labels: Vec<_> = labels.into_iter().filter(|(name, _)| *name != "le").collect();
            self.add_classic(dice, name, &labels, rhythm);
        } else {
            let shape = if is_counter { Shape::Counter } else { Shape::Gauge };
            self.add(random_series(dice, series_name(name, &labels), shape, rhythm));
        }
    }

    /// Adds a series, unless there is one with these labels.
    fn add(&mut self, series: SeriesText) {
        if self.series.iter().all(|other| other.labels != series.labels) {
            self.series.push(series);
        }
    }

    fn add_classic(&mut self, dice: &mut Dice, metric: &str, labels: &[(&str, &str)], rhythm: Rhythm) {
        let bounds: Vec<&str> = BUCKETS.into_iter().filter(|bound| *bound == "+Inf" || !dice.one_in(6)).collect();
        let mut counts = vec![0.0; bounds.len()];
        let mut points: Vec<Vec<Option<String>>> = vec![Vec::new(); bounds.len()];
        for has_point in rhythm.points(dice) {
            let mut grown = 0.0;
            let is_reset = dice.one_in(20);
            for (count, points) in counts.iter_mut().zip(&mut points) {
                grown += dice.within(0..4) as f64;
                *count = if is_reset { grown } else { *count + grown };
                // Scrapes are not atomic: now and then a bucket has more than the next one.
                let shown = if dice.one_in(40) { *count + 3.0 } else { *count };
                points.push(has_point.then(|| float_text(shown)));
            }
        }
        for (bound, points) in bounds.into_iter().zip(points) {
            let bound = if dice.one_in(60) { "much" } else { bound };
            let mut labels = labels.to_vec();
            labels.push(("le", bound));
            self.add(SeriesText { labels: series_name(metric, &labels), points, starts: None });
        }
    }
}

/// When series have points.
#[derive(Clone, Copy, Debug)]
struct Rhythm {
    interval_ms: i64,
    /// How many intervals there are.
    count: usize,
    /// A point comes about every so many intervals.
    every: usize,
}

impl Rhythm {
    /// About half an hour.
    fn random(dice: &mut Dice, interval_ms: i64) -> Self {
        let (count, every) = if interval_ms == 1_000 { (900, [10, 15, 30][dice.index(3)]) } else { (30, 1) };
        Self { interval_ms, count, every }
    }

    /// For each interval whether there is a point.
    fn points(self, dice: &mut Dice) -> Vec<bool> {
        let phase = dice.index(self.every);
        let mut points = vec![false; self.count];
        for at in (phase..self.count).step_by(self.every) {
            // Some scrapes come late, some not at all.
            let late = if self.every > 1 && dice.one_in(4) { dice.index(self.every / 2) } else { 0 };
            if !dice.one_in(15)
                && let Some(point) = points.get_mut(at + late)
            {
                *point = true;
            }
        }
        if dice.one_in(8) {
            let gap = dice.index(self.count);
            let end = (gap + self.count / 4).min(self.count);
            points[gap..end].fill(false);
        }
        points
    }
}

fn random_labels(dice: &mut Dice, shape: Shape) -> Vec<(&'static str, &'static str)> {
    let mut labels = vec![("instance", dice.pick(&["a:80", "b:80", "c:80"])), ("job", dice.pick(&["api", "db"]))];
    if shape == Shape::Info {
        labels.push(("version", dice.pick(&["1", "2"])));
        labels.push(("data", dice.pick(&["x", "y"])));
        return labels;
    }
    if dice.one_in(3) {
        labels.push(("env", dice.pick(&["prod", "test"])));
    }
    if dice.one_in(6) {
        labels.push(("my.label", dice.pick(&["é", "b\"\\c", "item10", "item2"])));
    }
    if dice.one_in(10) {
        labels.push(("__type__", dice.pick(&["counter", "gauge", "histogram"])));
    }
    if dice.one_in(12) {
        labels.push(("__unit__", dice.pick(&["seconds", "bytes"])));
    }
    labels
}

/// Labels in the notation of scripts, without blanks: those that stand before start times may have none.
pub(crate) fn series_name(metric: &str, labels: &[(&str, &str)]) -> String {
    let all: BTreeMap<&str, &str> =
        labels.iter().copied().chain((!metric.is_empty()).then_some(("__name__", metric))).collect();
    let shown: Vec<String> =
        all.into_iter().map(|(name, value)| format!("{}={}", label_name(name), quote(value))).collect();
    format!("{{{}}}", shown.join(","))
}

fn label_name(name: &str) -> String {
    if model::is_legacy_label_name(name) { name.to_owned() } else { quote(name) }
}

fn random_series(dice: &mut Dice, labels: String, shape: Shape, rhythm: Rhythm) -> SeriesText {
    let mut process = Process::random(dice, shape);
    let mut points: Vec<Option<String>> = Vec::with_capacity(rhythm.count);
    for has_point in rhythm.points(dice) {
        let is_end = points.last().is_some_and(Option::is_some) && dice.one_in(30);
        points.push(match (is_end, has_point) {
            (true, _) => Some("stale".to_owned()),
            (false, true) => Some(process.next(dice)),
            (false, false) => None,
        });
    }
    let starts = dice.one_in(6).then(|| random_starts(dice, &points, rhythm));
    SeriesText { labels, points, starts }
}

/// When counters began: they know, and are mostly right.
fn random_starts(dice: &mut Dice, points: &[Option<String>], rhythm: Rhythm) -> Vec<Option<i64>> {
    let mut began = 0;
    let is_delta = dice.one_in(3);
    let mut last = 0;
    let mut starts = Vec::with_capacity(points.len());
    for (at, point) in points.iter().enumerate() {
        let time = at as i64 * rhythm.interval_ms;
        if is_delta {
            began = last;
        } else if dice.one_in(15) {
            began = time - dice.within(0..3) * rhythm.interval_ms / 2;
        }
        let is_known = point.as_ref().is_some_and(|point| point != "stale") && !dice.one_in(10);
        starts.push(is_known.then_some(began - time));
        if point.is_some() {
            last = time;
        }
    }
    starts
}

/// What makes the values of a series.
enum Process {
    Counter { value: f64, step: i64 },
    Gauge { value: f64, is_whole: bool },
    Odd,
    Distribution(Box<Distribution>),
    Mixed(Box<Distribution>),
    Constant,
}

impl Process {
    fn random(dice: &mut Dice, shape: Shape) -> Self {
        match shape {
            Shape::Counter => Self::Counter { value: dice.within(0..100) as f64, step: [1, 7, 1000][dice.index(3)] },
            Shape::Gauge => Self::Gauge { value: dice.within(-20..20) as f64, is_whole: dice.one_in(2) },
            Shape::Odd => Self::Odd,
            Shape::Exponential => Self::Distribution(Box::new(Distribution::exponential(dice))),
            Shape::Custom => Self::Distribution(Box::new(Distribution::custom(dice))),
            Shape::Mixed if dice.one_in(3) => Self::Mixed(Box::new(Distribution::custom(dice))),
            Shape::Mixed => Self::Mixed(Box::new(Distribution::exponential(dice))),
            Shape::Classic | Shape::Info => Self::Constant,
        }
    }

    fn next(&mut self, dice: &mut Dice) -> String {
        match self {
            Self::Counter { value, step } => {
                *value = if dice.one_in(15) { 0.0 } else { *value + dice.within(0..*step * 3 + 1) as f64 };
                float_text(*value)
            }
            Self::Gauge { value, is_whole } => {
                *value += dice.within(-3..4) as f64 + if *is_whole { 0.0 } else { dice.unit() };
                float_text(*value)
            }
            Self::Odd => float_text(ODD[dice.index(ODD.len())]),
            Self::Distribution(distribution) => {
                distribution.advance(dice);
                distribution.text()
            }
            Self::Mixed(distribution) => {
                distribution.advance(dice);
                if dice.one_in(3) { dice.within(0..9).to_string() } else { distribution.text() }
            }
            Self::Constant => "1".to_owned(),
        }
    }
}
