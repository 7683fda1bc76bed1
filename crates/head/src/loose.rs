//! A series whose samples have their own times.

use std::sync::Arc;

use index::PairId;
use model::is_stale;

use crate::group::Group;
use crate::piece::{self, SectionWriter};
use crate::record::TimedValue;
use crate::row::{Row, encode_histograms, histogram_bytes};
use crate::starts::Starts;
use crate::target::{FRAME_ROWS, Frame, GROUP_ROWS, group_of};

/// A series that does not share its times: pushed, or scraped with explicit timestamps.
#[derive(Clone, Debug)]
pub(crate) struct Loose {
    /// Its id in the head.
    pub(crate) series: u32,
    /// Its label pairs, if it is nobody's; those of a target's member are with the target.
    pub(crate) pairs: Arc<[PairId]>,
    /// The newest sample.
    pub(crate) last: Option<Timed>,
    /// Samples that are not encoded yet, ascending, all of one window.
    pub(crate) open: Vec<Timed>,
    /// Encoded samples before those, of the same window.
    pub(crate) frames: Vec<Frame>,
    /// Samples that came too late to stand among the others, one by one.
    pub(crate) late: Vec<Timed>,
    pub(crate) groups: Vec<Arc<Group>>,
    pub(crate) sample_bytes: usize,
}

/// A sample with its time in ms.
#[derive(Clone, Debug)]
pub(crate) struct Timed {
    pub(crate) time: i64,
    pub(crate) value: TimedValue,
    /// When its counter began, in ms; 0: nobody knows.
    pub(crate) start: i64,
}

/// What became of a sample.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Appended {
    Stored,
    /// It is there already, to the bit.
    Known,
    OutOfOrder,
    DuplicateTimestamp,
    TooOld,
}

/// What decides about samples that are not the newest of their series.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bounds {
    /// Samples before it are too old for a series that is up to date: the newest time of the head less half a window, or
    /// where the head's data begin.
    pub(crate) oldest_in_order: i64,
    /// Samples from it on may be out of order.
    pub(crate) oldest_out_of_order: i64,
    /// Whether any sample may be out of order.
    pub(crate) takes_out_of_order: bool,
    pub(crate) window_ms: i64,
}

impl Timed {
    fn same_value(&self, other: &Self) -> bool {
        match (&self.value, &other.value) {
            (TimedValue::Float(a), TimedValue::Float(b)) => a.to_bits() == b.to_bits(),
            (TimedValue::Histogram(a), TimedValue::Histogram(b)) => a == b || (is_stale(a.sum) && is_stale(b.sum)),
            _ => false,
        }
    }

    pub(crate) fn size_bytes(&self) -> usize {
        size_of::<Self>()
            + match &self.value {
                TimedValue::Float(_) => 0,
                TimedValue::Histogram(histogram) => histogram_bytes(histogram),
            }
    }
}

impl Loose {
    pub(crate) fn new(series: u32, pairs: Arc<[PairId]>) -> Self {
        let (open, frames, late, groups) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        Self { series, pairs, last: None, open, frames, late, groups, sample_bytes: 0 }
    }

    /// Appends a sample by the rules of Prometheus (PROMETHEUS.md E2), and returns the groups that were closed for it.
    pub(crate) fn append(&mut self, sample: Timed, bounds: &Bounds) -> (Appended, Option<Arc<Group>>) {
        let Some(last) = &self.last else {
            let oldest = bounds.oldest_in_order.min(bounds.oldest_out_of_order);
            return if sample.time < oldest {
                (Appended::TooOld, None)
            } else {
                (Appended::Stored, self.push(sample, bounds))
            };
        };
        if sample.time > last.time {
            return if sample.time < bounds.oldest_in_order.min(bounds.oldest_out_of_order) {
                (Appended::TooOld, None)
            } else {
                (Appended::Stored, self.push(sample, bounds))
            };
        }
        if sample.time == last.time {
            let known = sample.same_value(last);
            return (if known { Appended::Known } else { Appended::DuplicateTimestamp }, None);
        }
        if !bounds.takes_out_of_order {
            let old = sample.time < bounds.oldest_in_order;
            return (if old { Appended::TooOld } else { Appended::OutOfOrder }, None);
        }
        if sample.time < bounds.oldest_out_of_order {
            return (Appended::TooOld, None);
        }
        // The first one at a time wins; a sample that is in a frame or a group already wins when it is read.
        if let Some(other) = self.late.iter().find(|other| other.time == sample.time) {
            let known = sample.same_value(other);
            return (if known { Appended::Known } else { Appended::DuplicateTimestamp }, None);
        }
        self.sample_bytes += sample.size_bytes();
        self.late.push(sample);
        (Appended::Stored, None)
    }

    fn push(&mut self, sample: Timed, bounds: &Bounds) -> Option<Arc<Group>> {
        let window = |time: i64| time.div_euclid(bounds.window_ms);
        let closed = match self.open_start() {
            Some(start) if window(start) != window(sample.time) => self.close_group(),
            _ => None,
        };
        self.sample_bytes += sample.size_bytes();
        self.open.push(sample.clone());
        self.last = Some(sample);
        closed.or_else(|| self.encode_due())
    }

    fn encode_due(&mut self) -> Option<Arc<Group>> {
        if self.open.len() < FRAME_ROWS {
            return None;
        }
        self.close_frame();
        let rows: u32 = self.frames.iter().map(|frame| frame.rows).sum();
        if rows < GROUP_ROWS { None } else { self.close_group() }
    }

    /// The time of the first sample that is in order and not in a group.
    pub(crate) fn open_start(&self) -> Option<i64> {
        self.frames.first().map(|frame| frame.first).or_else(|| self.open.first().map(|sample| sample.time))
    }

    /// Makes a group of all open samples.
    pub(crate) fn close_group(&mut self) -> Option<Arc<Group>> {
        self.close_frame();
        let frames = std::mem::take(&mut self.frames);
        self.sample_bytes -= frames.iter().map(|frame| frame.bytes.len()).sum::<usize>();
        let group = group_of(&frames)?;
        self.groups.push(group.clone());
        Some(group)
    }

    /// Makes a group of the late samples before `end`, if there are any.
    pub(crate) fn close_late(&mut self, end: i64) -> Option<Arc<Group>> {
        let mut late = std::mem::take(&mut self.late);
        late.sort_by_key(|sample| sample.time);
        self.late = late.split_off(late.partition_point(|sample| sample.time < end));
        self.sample_bytes -= late.iter().map(Timed::size_bytes).sum::<usize>();
        let group = group_of(&[encode(self.series, &late)?])?;
        self.groups.push(group.clone());
        Some(group)
    }

    fn close_frame(&mut self) {
        let open = std::mem::take(&mut self.open);
        self.sample_bytes -= open.iter().map(Timed::size_bytes).sum::<usize>();
        if let Some(frame) = encode(self.series, &open) {
            self.sample_bytes += frame.bytes.len();
            self.frames.push(frame);
        }
    }

    /// The time of the newest sample that the head has, late ones included.
    pub(crate) fn newest(&self) -> Option<i64> {
        let late = self.late.iter().map(|sample| sample.time).max();
        self.last.as_ref().map(|last| last.time).max(late)
    }
}

/// Encodes samples of one series, ascending in time; `None` of none.
pub(crate) fn encode(series: u32, samples: &[Timed]) -> Option<Frame> {
    let (first, last) = (samples.first()?, samples.last()?);
    let mut rows: Vec<Arc<Row>> = Vec::with_capacity(samples.len());
    for sample in samples {
        let same = rows.last().map(|row| row.starts.clone()).filter(|starts| starts.of(series) == sample.start);
        let starts = same.unwrap_or_else(|| Starts::new([(series, sample.start)]));
        rows.push(Arc::new(row_of(sample, starts)));
    }
    let (mut floats, mut histograms) = (SectionWriter::default(), SectionWriter::default());
    let (mut values, mut chunk) = (Vec::new(), Vec::new());
    if crate::row::encode_column(&rows, (series, 0), &mut values, &mut chunk) {
        floats.add(series, |out| out.extend_from_slice(&chunk));
    }
    chunk.clear();
    if encode_histograms(&rows, (series, 0), &mut chunk).expect("a histogram that was accepted is valid") {
        histograms.add(series, |out| out.extend_from_slice(&chunk));
    }
    let times: Vec<i64> = samples.iter().map(|sample| sample.time).collect();
    let bytes = piece::write(&times, &floats, &histograms);
    Some(Frame { bytes, rows: samples.len() as u32, first: first.time, last: last.time })
}

/// A sample as a row with one column, or with one member that has a histogram.
fn row_of(sample: &Timed, starts: Starts) -> Row {
    let row = Row { time: sample.time, values: Box::default(), states: None, histograms: Box::default(), starts };
    match &sample.value {
        TimedValue::Float(value) if is_stale(*value) => {
            let stale = crate::row::States { present: Default::default(), stale: [0].into_iter().collect() };
            Row { values: Box::new([*value]), states: Some(Box::new(stale)), ..row }
        }
        TimedValue::Float(value) => Row { values: Box::new([*value]), ..row },
        TimedValue::Histogram(histogram) => Row { histograms: Box::new([(0, histogram.clone())]), ..row },
    }
}
