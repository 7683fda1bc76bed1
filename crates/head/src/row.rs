//! One row of a target, and how rows become a frame.

use std::sync::Arc;

use bytes::Bytes;
use chunk::{EncodeError, Presence, Samples, Starts as StartsColumn, State};
use model::Histogram;

use crate::bits::Bits;
use crate::piece::{self, SectionWriter};
use crate::starts::{Starts, StartsOf};

/// The values of a target at one time, as they came.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Row {
    /// When.
    pub(crate) time: i64,
    /// A value for each float column that the target had then. Those of columns that are not present mean nothing.
    pub(crate) values: Box<[f64]>,
    /// Which columns have a value and which end here; `None`: all of `values` are values.
    pub(crate) states: Option<Box<States>>,
    /// Members that have a histogram, ascending; one whose sum is the staleness marker ends here.
    pub(crate) histograms: Box<[(u32, Arc<Histogram>)]>,
    /// When the counters of its series began.
    pub(crate) starts: Starts,
}

/// Which columns of a row have a value, and which series end with it. No column is in both.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct States {
    pub(crate) present: Bits,
    pub(crate) stale: Bits,
}

impl Row {
    pub(crate) fn state(&self, column: usize) -> State {
        match &self.states {
            _ if column >= self.values.len() => State::Absent,
            None => State::Present,
            Some(states) if states.present.contains(column) => State::Present,
            Some(states) if states.stale.contains(column) => State::Stale,
            Some(_) => State::Absent,
        }
    }

    pub(crate) fn size_bytes(&self) -> usize {
        let states =
            self.states.as_ref().map_or(0, |states| states.present.size_bytes() + states.stale.size_bytes() + 64);
        let histograms: usize = self.histograms.iter().map(|(_, histogram)| histogram_bytes(histogram) + 16).sum();
        size_of::<Self>() + 16 + self.values.len() * 8 + states + histograms
    }
}

/// About how many bytes a histogram takes in memory.
pub(crate) fn histogram_bytes(histogram: &Histogram) -> usize {
    let spans = histogram.positive_spans.len() + histogram.negative_spans.len();
    let buckets = histogram.positive_buckets.len() + histogram.negative_buckets.len() + histogram.custom_values.len();
    size_of::<Histogram>() + (spans + buckets) * 8
}

/// The most buckets, spans and bounds that a histogram may have together: a group of 128 must stay below what a chunk holds.
const MOST_CELLS: usize = 16_384;

/// Why a histogram can't be stored, if it can't.
pub(crate) fn refusal(histogram: &Histogram) -> Option<String> {
    let spans = histogram.positive_spans.len() + histogram.negative_spans.len();
    let buckets = histogram.positive_buckets.len() + histogram.negative_buckets.len() + histogram.custom_values.len();
    if spans + buckets > MOST_CELLS {
        return Some(format!(
            "a histogram has {} buckets, spans and bounds; {MOST_CELLS} are allowed",
            spans + buckets
        ));
    }
    chunk::histograms::encode(&[histogram], &mut Vec::new()).err().map(|error| error.to_string())
}

/// Encodes one float column of some rows, that of a series; appends nothing and returns false if no row has anything to say
/// about it.
pub(crate) fn encode_column(
    rows: &[Arc<Row>],
    (series, column): (u32, u32),
    values: &mut Vec<f64>,
    out: &mut Vec<u8>,
) -> bool {
    let column = column as usize;
    values.clear();
    let mut presence = Presence::default();
    let (mut starts, mut starts_of) = (StartsColumn::default(), StartsOf::new(series));
    for row in rows {
        let state = row.state(column);
        presence.push(state, 1);
        if state == State::Present {
            values.push(row.values[column]);
            starts.push(starts_of.in_row(row), 1);
        }
    }
    let says_something = presence.runs().any(|(state, _)| state != State::Absent);
    if says_something {
        chunk::encode_started_floats(&presence, &starts, values, out);
    }
    says_something
}

/// Encodes the histograms of a series, which is one member, in some rows, as [`encode_column`].
pub(crate) fn encode_histograms(
    rows: &[Arc<Row>],
    (series, member): (u32, u32),
    out: &mut Vec<u8>,
) -> Result<bool, EncodeError> {
    let mut samples = Samples::<Histogram>::default();
    let mut starts_of = StartsOf::new(series);
    let mut says_something = false;
    for row in rows {
        let found = row.histograms.binary_search_by_key(&member, |(member, _)| *member).ok();
        let histogram = found.map(|at| Histogram::clone(&row.histograms[at].1));
        says_something |= histogram.is_some();
        samples.push_started(histogram, starts_of.in_row(row));
    }
    if says_something {
        samples.encode(out)?;
    }
    Ok(says_something)
}

/// Makes a frame of rows. `float_series` says which series the float columns are, ascending, each with its column;
/// `histogram_series` the same of the members that have histograms.
pub(crate) fn encode_frame(rows: &[Arc<Row>], float_series: &[(u32, u32)], histogram_series: &[(u32, u32)]) -> Bytes {
    let (mut floats, mut histograms) = (SectionWriter::default(), SectionWriter::default());
    let (mut values, mut chunk) = (Vec::with_capacity(rows.len()), Vec::new());
    for float in float_series {
        chunk.clear();
        if encode_column(rows, *float, &mut values, &mut chunk) {
            floats.add(float.0, |out| out.extend_from_slice(&chunk));
        }
    }
    for histogram in histogram_series {
        chunk.clear();
        // Histograms are validated when they are appended.
        let encoded = encode_histograms(rows, *histogram, &mut chunk).expect("a histogram that was accepted is valid");
        if encoded {
            histograms.add(histogram.0, |out| out.extend_from_slice(&chunk));
        }
    }
    let times: Vec<i64> = rows.iter().map(|row| row.time).collect();
    piece::write(&times, &floats, &histograms)
}
