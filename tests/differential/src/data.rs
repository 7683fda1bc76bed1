//! Series, as `load` commands of test scripts tell them: both engines read the same text.

mod distribution;
mod random;

use std::fmt;
use std::ops::Range;

pub(crate) use random::{METRICS, Shape, series_name};

/// What is stored.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Data {
    /// How far the points of a series are apart, in ms.
    pub interval_ms: i64,
    /// The series.
    pub series: Vec<SeriesText>,
}

/// A series, in the notation of test scripts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SeriesText {
    /// Its labels.
    pub labels: String,
    /// Its points, one for each interval; `None` where it has none.
    pub points: Vec<Option<String>>,
    /// When its counter began, in ms relative to each point, if that is known of any.
    pub starts: Option<Vec<Option<i64>>>,
}

impl SeriesText {
    /// Takes points away.
    pub(crate) fn blank(&mut self, points: Range<usize>) {
        self.points[points.clone()].fill(None);
        if let Some(starts) = &mut self.starts {
            starts[points].fill(None);
        }
    }
}

impl fmt::Display for Data {
    /// As a `load` command.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.series.is_empty() {
            return Ok(());
        }
        writeln!(f, "load {}", model::format_duration(self.interval_ms))?;
        for series in &self.series {
            write!(f, "{series}")?;
        }
        writeln!(f)
    }
}

impl fmt::Display for SeriesText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(starts) = &self.starts {
            let texts: Vec<Option<String>> = starts.iter().map(|start| start.map(|ms| format!("{ms}ms"))).collect();
            writeln!(f, "  {}@st {}", self.labels, items(&texts))?;
        }
        writeln!(f, "  {} {}", self.labels, items(&self.points))
    }
}

/// Points, with runs of missing ones as one item.
fn items(points: &[Option<String>]) -> String {
    let mut items = Vec::new();
    let mut missing = 0;
    let close = |missing: &mut usize, items: &mut Vec<String>| {
        match std::mem::take(missing) {
            0 => {}
            1 => items.push("_".to_owned()),
            count => items.push(format!("_x{count}")),
        };
    };
    for point in points {
        match point {
            None => missing += 1,
            Some(text) => {
                close(&mut missing, &mut items);
                items.push(text.clone());
            }
        }
    }
    close(&mut missing, &mut items);
    items.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn series_are_told_in_the_notation_of_scripts() {
        let point = |text: &str| Some(text.to_owned());
        let series = SeriesText {
            labels: "up{job=\"a\"}".to_owned(),
            points: vec![point("1"), None, None, None, point("stale"), None],
            starts: Some(vec![None, None, None, None, Some(-60_000), Some(0)]),
        };
        let data = Data { interval_ms: 15_000, series: vec![series] };
        let expected = "load 15s\n  up{job=\"a\"}@st _x4 -60000ms 0ms\n  up{job=\"a\"} 1 _x3 stale _\n\n";
        assert_eq!(data.to_string(), expected);
    }
}
