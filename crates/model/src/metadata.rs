//! What a page says about a metric family.

use std::fmt;
use std::str::FromStr;

/// Type, help text and unit of a metric family.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Metadata {
    /// The kind of metric.
    pub metric_type: MetricType,
    /// What it means, for people. Empty if the page does not say.
    pub help: Box<str>,
    /// The unit; empty if the page does not say.
    pub unit: Box<str>,
}

/// The kind of a metric family.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum MetricType {
    /// Only ever rises, or starts again from zero.
    Counter,
    /// Rises and falls.
    Gauge,
    /// A distribution that only ever grows.
    Histogram,
    /// A distribution that may shrink.
    GaugeHistogram,
    /// Quantiles computed by the target.
    Summary,
    /// Labels about the target, value 1.
    Info,
    /// One boolean per state.
    StateSet,
    /// Not said.
    #[default]
    Unknown,
}

impl MetricType {
    /// Every type.
    pub const ALL: [Self; 8] = [
        Self::Counter,
        Self::Gauge,
        Self::Histogram,
        Self::GaugeHistogram,
        Self::Summary,
        Self::Info,
        Self::StateSet,
        Self::Unknown,
    ];

    /// The name that APIs use, such as `gaugehistogram`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Histogram => "histogram",
            Self::GaugeHistogram => "gaugehistogram",
            Self::Summary => "summary",
            Self::Info => "info",
            Self::StateSet => "stateset",
            Self::Unknown => "unknown",
        }
    }
}

impl fmt::Display for MetricType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for MetricType {
    type Err = ();

    /// Reads the names of APIs, and `untyped`, the text format's word for `unknown`.
    fn from_str(name: &str) -> Result<Self, ()> {
        match name {
            "untyped" => Ok(Self::Unknown),
            _ => Self::ALL.into_iter().find(|kind| kind.as_str() == name).ok_or(()),
        }
    }
}
