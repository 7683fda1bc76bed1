//! The values of a page like node_exporter's, scrape after scrape, the same in every run.

use fastrand::Rng;

use super::mix::{events, normal, spread};

/// How many series the page has.
const SERIES: usize = 500;

/// A page that changes: looked at 5 s apart, 61 % of its values are the same.
pub(crate) struct Page {
    rng: Rng,
    series: Vec<Series>,
}

enum Series {
    Constant(f64),
    Counter { value: f64, rate: f64, unit: f64 },
    Walk { value: f64, motion: f64, step: f64, unit: f64 },
    Duration { mean: f64 },
}

impl Page {
    pub(crate) fn new(seed: u64) -> Self {
        let mut rng = Rng::with_seed(seed);
        let mut series = Vec::new();
        // Neighbours are alike: they are the series of one metric.
        while series.len() < SERIES {
            let family = rng.usize(1..12).min(SERIES - series.len());
            let kind = rng.u8(..100);
            series.extend((0..family).map(|_| member(&mut rng, kind)));
        }
        Self { rng, series }
    }

    /// The values of the next scrape.
    pub(crate) fn scrape(&mut self) -> Vec<f64> {
        let rng = &mut self.rng;
        self.series.iter_mut().map(|series| next(rng, series)).collect()
    }
}

fn member(rng: &mut Rng, kind: u8) -> Series {
    match kind {
        0..50 => Series::Constant([0.0, 0.0, 0.0, 0.0, 1.0, 1.0, 4096.0, 0.5][rng.usize(..8)]),
        50..76 => Series::Counter { value: spread(rng, 10.0, 1e9).floor(), rate: spread(rng, 0.05, 2000.0), unit: 1.0 },
        76..82 => Series::Counter { value: spread(rng, 10.0, 1e7).floor(), rate: spread(rng, 0.1, 500.0), unit: 100.0 },
        82..92 => Series::Walk {
            value: spread(rng, 10.0, 1e5).floor(),
            motion: spread(rng, 0.1, 1.0),
            step: spread(rng, 1.0, 300.0),
            unit: [1.0 / 4096.0, 1.0 / 4096.0, 1.0, 100.0][rng.usize(..4)],
        },
        _ => Series::Duration { mean: spread(rng, 0.000_01, 0.01) },
    }
}

fn next(rng: &mut Rng, series: &mut Series) -> f64 {
    match series {
        Series::Constant(value) => *value,
        Series::Counter { value, rate, unit } => {
            *value += events(rng, *rate);
            *value / *unit
        }
        Series::Walk { value, motion, step, unit } => {
            if rng.f64() < *motion {
                *value = (*value + (normal(rng) * *step).round()).clamp(0.0, 2e5);
            }
            *value / *unit
        }
        Series::Duration { mean } => (*mean * (1.0 + 0.3 * normal(rng)).abs() * 1e9).round() / 1e9,
    }
}
