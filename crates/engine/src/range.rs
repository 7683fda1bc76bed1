//! Functions of range vectors.

mod changes;
mod extended;
mod extended_histogram;
mod extrapolation;
mod frame;
mod histogram_over_time;
pub(crate) mod interpolate;
mod last_two;
mod over_time;
mod rate;
mod rate_histogram;
mod regression;
mod start_time;
mod window;

use promql::Span;
use promql::ast::Extension;
use series::{QueryError, Samples};

use crate::annotation::{Annotations, Remark};
use crate::identity::{Identity, TYPE_LABEL};
use crate::ledger::Record;
use crate::read::{ReadContext, Reference};
use crate::scalar::Scalar;
use crate::table::{NewRow, Row, Table};
pub(crate) use extended::with_edges;
pub(crate) use frame::Frames;
use window::{Counters, Outcome, Window, for_each_window, over_windows};

/// A function of a range vector, as it is called.
#[derive(Clone, Debug)]
pub(crate) struct RangeCall {
    pub(crate) function: RangeFunction,
    pub(crate) reference: Reference,
    /// How far the range reaches back, in ms.
    pub(crate) range: i64,
    pub(crate) extension: Option<Extension>,
    /// How far `anchored` and `smoothed` look beyond it, in ms.
    pub(crate) lookback: i64,
    /// What remarks are about.
    pub(crate) span: Span,
    /// Whether the times at which counters began are looked at.
    pub(crate) use_start_times: bool,
    /// Whether the label `__type__` says what is a counter, instead of the metric's name.
    pub(crate) use_types: bool,
}

/// A function of a range vector.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RangeFunction {
    AbsentOverTime,
    AvgOverTime,
    Changes,
    CountOverTime,
    Deriv,
    DoubleExponentialSmoothing,
    FirstOverTime,
    Idelta,
    Irate,
    LastOverTime,
    MadOverTime,
    MaxOverTime,
    MinOverTime,
    PredictLinear,
    PresentOverTime,
    QuantileOverTime,
    Rate(RateKind),
    Resets,
    StddevOverTime,
    StdvarOverTime,
    SumOverTime,
    TsOfFirstOverTime,
    TsOfLastOverTime,
    TsOfMaxOverTime,
    TsOfMinOverTime,
}

impl RangeFunction {
    pub(crate) fn find(name: &str) -> Option<Self> {
        Some(match name {
            "absent_over_time" => Self::AbsentOverTime,
            "avg_over_time" => Self::AvgOverTime,
            "changes" => Self::Changes,
            "count_over_time" => Self::CountOverTime,
            "delta" => Self::Rate(RateKind::Delta),
            "deriv" => Self::Deriv,
            "double_exponential_smoothing" => Self::DoubleExponentialSmoothing,
            "first_over_time" => Self::FirstOverTime,
            "idelta" => Self::Idelta,
            "increase" => Self::Rate(RateKind::Increase),
            "irate" => Self::Irate,
            "last_over_time" => Self::LastOverTime,
            "mad_over_time" => Self::MadOverTime,
            "max_over_time" => Self::MaxOverTime,
            "min_over_time" => Self::MinOverTime,
            "predict_linear" => Self::PredictLinear,
            "present_over_time" => Self::PresentOverTime,
            "quantile_over_time" => Self::QuantileOverTime,
            "rate" => Self::Rate(RateKind::PerSecond),
            "resets" => Self::Resets,
            "stddev_over_time" => Self::StddevOverTime,
            "stdvar_over_time" => Self::StdvarOverTime,
            "sum_over_time" => Self::SumOverTime,
            "ts_of_first_over_time" => Self::TsOfFirstOverTime,
            "ts_of_last_over_time" => Self::TsOfLastOverTime,
            "ts_of_max_over_time" => Self::TsOfMaxOverTime,
            "ts_of_min_over_time" => Self::TsOfMinOverTime,
            _ => return None,
        })
    }

    /// Whether the result is still the metric, at another time.
    pub(crate) fn keeps_name(self) -> bool {
        matches!(self, Self::FirstOverTime | Self::LastOverTime)
    }

    /// Whether it knows what to do with a range whose edges are dealt with in a special way.
    pub(crate) fn allows(self, extension: Extension) -> bool {
        match self {
            Self::Rate(_) => true,
            Self::Resets | Self::Changes => extension == Extension::Anchored,
            _ => false,
        }
    }

    /// What it is a rate of, if it is one.
    fn rate_kind(self) -> Option<RateKind> {
        match self {
            Self::Rate(kind) => Some(kind),
            _ => None,
        }
    }

    /// Whether the times at which counters began bear on it.
    pub(crate) fn looks_at_start_times(self) -> bool {
        matches!(self, Self::Irate | Self::Resets) || self.rate_kind().is_some_and(RateKind::is_counter)
    }
}

/// What a rate is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RateKind {
    /// Of a counter, per second.
    PerSecond,
    /// Of a counter, over the range.
    Increase,
    /// Of a gauge, over the range.
    Delta,
}

impl RateKind {
    fn is_counter(self) -> bool {
        self != Self::Delta
    }
}

/// Where remarks on a series go.
struct Remarks<'a> {
    annotations: &'a mut Annotations,
    span: Span,
    metric: &'a str,
}

impl Remarks<'_> {
    /// A remark that names the metric.
    fn add(&mut self, remark: Remark) {
        self.annotations.add(self.span, remark, self.metric);
    }

    /// A remark that does not.
    fn add_unnamed(&mut self, remark: Remark) {
        self.annotations.add(self.span, remark, "");
    }
}

impl RangeCall {
    /// The lookback, or nothing.
    pub(crate) fn lookback_if(&self, condition: bool) -> i64 {
        if condition { self.lookback } else { 0 }
    }

    /// The samples that are looked at for a step: those after the first time and not after the second.
    fn window(&self, step_time: i64) -> (i64, i64) {
        let end = self.reference.time(step_time);
        let start = end.saturating_sub(self.range);
        let before = self.lookback_if(self.extension.is_some());
        let after = self.lookback_if(self.extension == Some(Extension::Smoothed));
        (start.saturating_sub(before), end.saturating_add(after))
    }

    /// The range in seconds, added up like Go adds it, so that the last bit agrees.
    fn range_seconds(&self) -> f64 {
        (self.range / 1000) as f64 + (self.range % 1000 * 1_000_000) as f64 / 1e9
    }

    /// Adds a series with what the function makes of its samples to a table. Samples of storage are counted as read.
    ///
    /// # Errors
    /// If an argument is none that the function can work with.
    pub(crate) fn read(
        &self,
        mut id: Identity,
        samples: &Samples,
        context: ReadContext<'_>,
        frames: &mut Frames,
        table: &mut Table,
        record: &mut Record,
    ) -> Result<(), QueryError> {
        let grid = context.grid;
        let mut row = table.start_row(grid.len());
        let Record { passage, alike, reads, annotations, .. } = record;
        let counters = Counters { passage, alike, reads, is_storage: context.is_storage };
        let remarks = Remarks { annotations, span: self.span, metric: id.metric() };
        let evaluated = self.evaluate(samples, context, frames, counters, remarks, &mut row);
        if let Err(error) = evaluated {
            row.abandon();
            return Err(error);
        }
        if self.function.rate_kind().is_some_and(RateKind::is_counter) {
            self.remark_no_counter(row.as_row(&id), &mut record.annotations);
        }
        if !self.function.keeps_name() || id.is_half_dropped() {
            id.drop_name(context.naming);
        }
        row.finish(id);
        Ok(())
    }

    /// Remarks that a rate is that of something that may not be a counter.
    fn remark_no_counter(&self, row: Row<'_>, annotations: &mut Annotations) {
        const SUFFIXES: [&str; 4] = ["_total", "_sum", "_count", "_bucket"];
        let metric = row.id.metric();
        let remark = if self.use_types {
            let kind = row.id.value(TYPE_LABEL);
            (!matches!(kind, "counter" | "histogram")).then(|| Remark::MaybeNoCounterType(kind.to_owned()))
        } else {
            (!SUFFIXES.iter().any(|suffix| metric.ends_with(suffix))).then_some(Remark::MaybeNoCounter)
        };
        if let Some(remark) = remark.filter(|_| !metric.is_empty())
            && row.present_floats().next().is_some()
        {
            annotations.add(self.span, remark, metric);
        }
    }

    fn evaluate(
        &self,
        samples: &Samples,
        context: ReadContext<'_>,
        frames: &mut Frames,
        counters: Counters<'_>,
        mut remarks: Remarks<'_>,
        row: &mut NewRow<'_>,
    ) -> Result<(), QueryError> {
        use RangeFunction as F;
        let args = context.args;
        let arg = |at: usize, window: &Window<'_>| args.get(at).map_or(f64::NAN, |arg: &Scalar| arg.at(window.step));
        // One loop for each function: what differs between functions is decided outside of it.
        macro_rules! each {
            (|$window:ident| $outcome:expr) => {
                for_each_window(self, samples, context.grid, frames, counters, row, |$window| Ok($outcome))
            };
        }
        match self.function {
            F::Rate(kind) if self.extension.is_some() => {
                each!(|window| extended::rate(self, kind, &window, &mut remarks))
            }
            F::Rate(kind) => {
                let mut rate = rate::Rate::new(self, kind, samples);
                if !rate.is_plain(samples) {
                    return each!(|window| rate.of(&window, &mut remarks));
                }
                over_windows(self, samples, context.grid, frames, counters, |windows| {
                    Ok(rate.write_plain(windows.floats, &samples.floats, row.floats()))
                })
            }
            F::Irate => each!(|window| last_two::change(self, true, &window, &mut remarks)),
            F::Idelta => each!(|window| last_two::change(self, false, &window, &mut remarks)),
            F::Resets => each!(|window| changes::resets(self, &window)),
            F::Changes => each!(|window| changes::changes(self, &window)),
            F::Deriv => each!(|window| regression::deriv(&window, &mut remarks)),
            F::PredictLinear => each!(|window| regression::predict_linear(&window, arg(0, &window), &mut remarks)),
            F::DoubleExponentialSmoothing => {
                for_each_window(self, samples, context.grid, frames, counters, row, |window| {
                    regression::smooth(&window, arg(0, &window), arg(1, &window), &mut remarks)
                })
            }
            F::AbsentOverTime | F::PresentOverTime => each!(|_window| Outcome::Float(1.0)),
            F::CountOverTime => {
                each!(|window| Outcome::Float((window.floats.len() + window.histograms.len()) as f64))
            }
            F::FirstOverTime => each!(|window| over_time::first(&window)),
            F::LastOverTime => each!(|window| over_time::last(&window)),
            F::TsOfFirstOverTime => each!(|window| over_time::first_time(&window)),
            F::TsOfLastOverTime => each!(|window| over_time::last_time(&window)),
            F::SumOverTime => each!(|window| over_time::sum(&window, &mut remarks)),
            F::AvgOverTime => each!(|window| over_time::avg(&window, &mut remarks)),
            F::MaxOverTime => {
                let mut extreme = over_time::Extreme::<true>::default();
                each!(|window| extreme.of(samples, &window, &mut remarks))
            }
            F::MinOverTime => {
                let mut extreme = over_time::Extreme::<false>::default();
                each!(|window| extreme.of(samples, &window, &mut remarks))
            }
            F::TsOfMaxOverTime => each!(|window| over_time::extreme_time(&window, |a, b| a >= b, &mut remarks)),
            F::TsOfMinOverTime => each!(|window| over_time::extreme_time(&window, |a, b| a <= b, &mut remarks)),
            F::StdvarOverTime => each!(|window| over_time::variance(&window, |variance| variance, &mut remarks)),
            F::StddevOverTime => each!(|window| over_time::variance(&window, f64::sqrt, &mut remarks)),
            F::MadOverTime => each!(|window| over_time::mad(&window, &mut remarks)),
            F::QuantileOverTime => {
                each!(|window| over_time::quantile(&window, arg(0, &window), &mut remarks))
            }
        }
    }
}
