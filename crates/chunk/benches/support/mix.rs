//! Series like those of a machine's exporter, the same in every run.
//!
//! Seven classes and how often each occurs. The classes, their weights and about their sizes under other codecs are those
//! of a survey of node_exporter-like data; every series is followed for a day at 15 s.

use fastrand::Rng;

/// Samples of one series.
const SAMPLES: usize = 5760;
const SERIES: u64 = 40;

/// Series of one kind.
pub(crate) struct Class {
    pub(crate) name: &'static str,
    /// The share of all series that are of this kind.
    pub(crate) weight: f64,
    pub(crate) series: Vec<Vec<f64>>,
}

/// All classes; weights add up to 1.
pub(crate) fn classes() -> Vec<Class> {
    vec![
        class("constant", 0.65, constant),
        class("counter", 0.12, counter),
        class("cpu seconds", 0.10, cpu_seconds),
        class("bytes", 0.06, bytes),
        class("gauge", 0.03, gauge),
        class("duration", 0.02, duration),
        class("float sum", 0.02, float_sum),
    ]
}

/// What gives one value after another.
type Source = Box<dyn FnMut(&mut Rng) -> f64>;

fn class(name: &'static str, weight: f64, source: fn(&mut Rng) -> Source) -> Class {
    let series = (0..SERIES).map(|seed| {
        let mut rng = Rng::with_seed(seed);
        let mut next = source(&mut rng);
        (0..SAMPLES).map(|_| next(&mut rng)).collect()
    });
    Class { name, weight, series: series.collect() }
}

fn constant(rng: &mut Rng) -> Source {
    const USUAL: [f64; 13] =
        [0.0, 0.0, 0.0, 1.0, 1.0, 3.0, 8.0, 64.0, 4096.0, 16_777_216.0, 33_554_432.0, 1.695e9, 0.5];
    let value = USUAL[rng.usize(..USUAL.len())];
    Box::new(move |_| value)
}

/// Counts events whose rate is uneven.
fn counter(rng: &mut Rng) -> Source {
    let rate = spread(rng, 0.15, 6000.0);
    let unevenness = rng.f64() * 0.6;
    let mut value = (rng.f64() * 1e10).floor();
    Box::new(move |rng| {
        let rate = rate * (1.0 + unevenness * (2.0 * rng.f64() - 1.0));
        value += events(rng, rate);
        value
    })
}

/// Hundredths of a second that a processor spent in one mode.
fn cpu_seconds(rng: &mut Rng) -> Source {
    const LOADS: [f64; 8] = [0.004, 0.006, 0.01, 0.01, 0.02, 0.05, 0.9, 0.95];
    let load = LOADS[rng.usize(..LOADS.len())];
    let evenness = if load > 0.5 { 5.0 } else { 10.0 };
    let mut ticks = (rng.f64() * 1e7).floor();
    Box::new(move |rng| {
        ticks = (ticks + events(rng, load * 150.0) * 10.0 / evenness).floor();
        ticks / 100.0
    })
}

/// Memory in pages of 4096 bytes, not always in motion.
fn bytes(rng: &mut Rng) -> Source {
    let motion = spread(rng, 0.1, 1.0);
    let step = spread(rng, 1.0, 500.0);
    let mut pages = (rng.f64() * 1e6).floor();
    Box::new(move |rng| {
        if rng.f64() < motion {
            pages = (pages + (normal(rng) * step).round()).max(0.0);
        }
        pages * 4096.0
    })
}

/// Something measured, with up to three decimals.
fn gauge(rng: &mut Rng) -> Source {
    let digits = 10f64.powi(rng.i32(0..4));
    let mean = spread(rng, 20.0, 5000.0) / digits.sqrt();
    let deviation = spread(rng, 0.02, 0.3);
    Box::new(move |rng| (mean * (1.0 + deviation * normal(rng)).abs() * digits).round() / digits)
}

/// How long something took, in nanoseconds.
fn duration(rng: &mut Rng) -> Source {
    let mean = spread(rng, 0.0003, 0.05);
    Box::new(move |rng| nanoseconds(rng, mean))
}

/// The sum of such durations, with the errors of floating-point sums.
fn float_sum(rng: &mut Rng) -> Source {
    let mean = spread(rng, 0.001, 0.5);
    let rate = spread(rng, 1.0, 20.0);
    let mut sum = 0.0;
    for _ in 0..10_000 {
        sum += nanoseconds(rng, mean);
    }
    Box::new(move |rng| {
        for _ in 0..events(rng, rate) as u64 {
            sum += nanoseconds(rng, mean);
        }
        sum
    })
}

fn nanoseconds(rng: &mut Rng, mean: f64) -> f64 {
    (mean * (1.0 + 0.2 * normal(rng)).abs() * 1e9).round() / 1e9
}

/// A number between the two, all magnitudes alike.
pub(crate) fn spread(rng: &mut Rng, low: f64, high: f64) -> f64 {
    low * (high / low).powf(rng.f64())
}

/// A normally distributed number, near enough.
pub(crate) fn normal(rng: &mut Rng) -> f64 {
    (0..12).map(|_| rng.f64()).sum::<f64>() - 6.0
}

/// How many events happen where `mean` are expected.
pub(crate) fn events(rng: &mut Rng, mean: f64) -> f64 {
    if mean > 50.0 {
        return (mean + mean.sqrt() * normal(rng)).round().max(0.0);
    }
    let mut count = 0.0;
    let mut product = rng.f64();
    while product > (-mean).exp() {
        count += 1.0;
        product *= rng.f64();
    }
    count
}
