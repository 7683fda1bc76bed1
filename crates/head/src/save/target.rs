//! One target, or one series by itself, of a saved head.

use std::sync::Arc;

use model::{Histogram, LayoutHash, TargetId};
use proto::head;

use super::tenant::{Loaded, Names};
use super::{Numbers, damaged};
use crate::bits::Bits;
use crate::group::Group;
use crate::loose::{Loose, Timed};
use crate::members::Members;
use crate::record::TimedValue;
use crate::row::{Row, States};
use crate::segment::SegmentError;
use crate::starts::Starts;
use crate::target::{Frame, Layout, Reference, Target};
use crate::ticks::{Run, Ticks};

pub(super) fn to_proto(at: u32, target: &Target, names: &Names, numbers: &Numbers) -> head::Target {
    let mut starts = SavedStarts::default();
    let starts_in_force = starts.place(&target.starts);
    let rows = target.rows.iter().map(|row| row_to_proto(row, &mut starts)).collect();
    head::Target {
        place: at,
        id: id_bytes(target.id.0),
        part: target.part,
        parts: target.parts,
        owner_epoch: target.owner_epoch,
        interval_ms: target.interval_ms,
        ended: target.ended,
        ticks: ticks_to_proto(&target.ticks),
        members: Some(target.members.to_proto(|pair| names.pair(pair))),
        columns: target.columns.clone(),
        generation: target.generation,
        layouts: target.layouts.iter().map(|layout| layout_to_proto(layout, names)).collect(),
        alive: target.alive.words().to_vec(),
        alive_histograms: target.alive_histograms.iter().copied().collect(),
        alive_timed: target.alive_timed.iter().copied().collect(),
        last_ms: target.last_time,
        rows,
        frames: target.frames.iter().map(frame_to_proto).collect(),
        late: target.late.iter().map(frame_to_proto).collect(),
        groups: numbers.get(&target.groups),
        starts: starts.0.iter().map(starts_to_proto).collect(),
        starts_in_force,
        starts_tick_ms: target.starts_tick,
        parts_since_ms: target.parts_since,
    }
}

pub(super) fn from_proto(saved: head::Target, loaded: &Loaded<'_>) -> Result<Target, SegmentError> {
    let members = saved.members.unwrap_or_default();
    let members = Members::from_proto(members, |at| loaded.pair(at)).ok_or_else(|| damaged("members of a target"))?;
    let count = members.len();
    if saved.columns.iter().any(|member| *member as usize >= count) {
        return Err(damaged("a column of a target belongs to nobody"));
    }
    let starts = SavedStarts(saved.starts.into_iter().map(starts_from_proto).collect());
    let rows = saved.rows.into_iter().map(|row| row_from_proto(row, &starts)).collect::<Result<Vec<_>, _>>()?;
    let frames: Vec<Frame> = saved.frames.into_iter().map(frame_from_proto).collect();
    let late: Vec<Frame> = saved.late.into_iter().map(frame_from_proto).collect();
    let raw: usize = rows.iter().map(|row| row.size_bytes()).sum();
    let encoded: usize = frames.iter().chain(&late).map(|frame| frame.bytes.len()).sum();
    let layouts = saved.layouts.into_iter().map(|layout| layout_from_proto(layout, count, loaded));
    Ok(Target {
        owner_epoch: saved.owner_epoch,
        interval_ms: saved.interval_ms,
        ended: saved.ended,
        ticks: ticks_from_proto(&saved.ticks).ok_or_else(|| damaged("ticks of a target"))?,
        members: Arc::new(members),
        columns: saved.columns,
        generation: saved.generation,
        layouts: layouts.collect::<Result<_, _>>()?,
        alive: Bits::from_words(&saved.alive),
        alive_histograms: saved.alive_histograms.into_iter().collect(),
        alive_timed: saved.alive_timed.into_iter().collect(),
        starts: starts.get(saved.starts_in_force)?,
        starts_tick: saved.starts_tick_ms,
        parts_since: saved.parts_since_ms,
        last_time: saved.last_ms,
        rows: rows.into_iter().map(Arc::new).collect(),
        frames,
        late,
        groups: groups_of(&saved.groups, loaded)?,
        sample_bytes: raw + encoded,
        ..Target::new(TargetId(id_from(&saved.id)?), saved.part, saved.parts)
    })
}

pub(crate) fn ticks_to_proto(ticks: &Ticks) -> Vec<i64> {
    ticks.runs().iter().flat_map(|run| [run.first, run.step, run.count as i64]).collect()
}

/// `None` if the numbers are no runs.
pub(crate) fn ticks_from_proto(saved: &[i64]) -> Option<Ticks> {
    let (runs, rest) = saved.as_chunks::<3>();
    let run =
        |[first, step, count]: &[i64; 3]| Some(Run { first: *first, step: *step, count: u64::try_from(*count).ok()? });
    Some(Ticks::from_runs(runs.iter().map(run).collect::<Option<_>>()?)).filter(|_| rest.is_empty())
}

pub(super) fn loose_to_proto(at: u32, loose: &Loose, names: &Names, numbers: &Numbers) -> head::Loose {
    head::Loose {
        place: at,
        series: loose.series,
        pairs: loose.pairs.iter().map(|pair| names.pair(*pair)).collect(),
        last: Some(timed_to_proto(loose.last.as_slice())),
        open: Some(timed_to_proto(&loose.open)),
        frames: loose.frames.iter().map(frame_to_proto).collect(),
        late: Some(timed_to_proto(&loose.late)),
        groups: numbers.get(&loose.groups),
    }
}

pub(super) fn loose_from_proto(saved: head::Loose, loaded: &Loaded<'_>) -> Result<Loose, SegmentError> {
    let open = timed_from_proto(saved.open)?;
    let late = timed_from_proto(saved.late)?;
    let frames: Vec<Frame> = saved.frames.into_iter().map(frame_from_proto).collect();
    let raw: usize = open.iter().chain(&late).map(Timed::size_bytes).sum();
    let encoded: usize = frames.iter().map(|frame| frame.bytes.len()).sum();
    Ok(Loose {
        last: timed_from_proto(saved.last)?.pop(),
        open,
        frames,
        late,
        groups: groups_of(&saved.groups, loaded)?,
        sample_bytes: raw + encoded,
        ..Loose::new(saved.series, saved.pairs.iter().map(|at| loaded.pair(*at)).collect())
    })
}

fn groups_of(numbers: &[u64], loaded: &Loaded<'_>) -> Result<Vec<Arc<Group>>, SegmentError> {
    Ok(loaded.groups.get(numbers)?.into_iter().map(|owned| owned.group).collect())
}

fn layout_to_proto(layout: &Layout, names: &Names) -> head::Layout {
    let reference =
        |reference: &Arc<Reference>| head::Reference { hash: reference.hash, values: reference.values.to_vec() };
    head::Layout {
        hash: id_bytes(layout.hash.0),
        slots: layout.slots.to_vec(),
        families: names.families(&layout.families),
        references: layout.references.iter().map(reference).collect(),
        identity: layout.identity,
        refused_tick_ms: layout.refused_tick,
    }
}

fn layout_from_proto(saved: head::Layout, members: usize, loaded: &Loaded<'_>) -> Result<Arc<Layout>, SegmentError> {
    if saved.slots.iter().any(|member| *member != crate::members::NONE && *member as usize >= members) {
        return Err(damaged("a slot of a layout belongs to nobody"));
    }
    let families = loaded.families.get(saved.families as usize);
    let reference = |saved: head::Reference| Arc::new(Reference { hash: saved.hash, values: saved.values.into() });
    let families = families.ok_or_else(|| damaged("a layout without families"))?.clone();
    Ok(Arc::new(Layout {
        references: saved.references.into_iter().map(reference).collect(),
        identity: saved.identity,
        refused_tick: saved.refused_tick_ms,
        ..Layout::new(LayoutHash(id_from(&saved.hash)?), saved.slots, families)
    }))
}

/// The different starts that the rows of a target have. Few follow each other, most rows share theirs with the one before.
#[derive(Default)]
struct SavedStarts(Vec<Starts>);

impl SavedStarts {
    /// Where these stand, from 1 on; 0: there are none.
    fn place(&mut self, starts: &Starts) -> u32 {
        if *starts == Starts::default() {
            return 0;
        }
        let known = self.0.iter().rposition(|known| known.is_same(starts));
        known.map_or_else(
            || {
                self.0.push(starts.clone());
                self.0.len() as u32
            },
            |at| at as u32 + 1,
        )
    }

    fn get(&self, place: u32) -> Result<Starts, SegmentError> {
        match place.checked_sub(1) {
            None => Ok(Starts::default()),
            Some(at) => {
                self.0.get(at as usize).cloned().ok_or_else(|| damaged("a row has starts that the target lacks"))
            }
        }
    }
}

fn starts_to_proto(starts: &Starts) -> head::Starts {
    let (series, start_ms) = starts.iter().unzip();
    head::Starts { series, start_ms }
}

fn starts_from_proto(saved: head::Starts) -> Starts {
    Starts::new(saved.series.into_iter().zip(saved.start_ms))
}

fn row_to_proto(row: &Row, starts: &mut SavedStarts) -> head::Row {
    let states = row.states.as_ref();
    head::Row {
        time_ms: row.time,
        values: row.values.to_vec(),
        states: states.map(|states| head::States {
            present: states.present.words().to_vec(),
            stale: states.stale.words().to_vec(),
        }),
        histogram_members: row.histograms.iter().map(|(member, _)| *member).collect(),
        histograms: row.histograms.iter().map(|(_, histogram)| histogram_bytes(histogram)).collect(),
        starts: starts.place(&row.starts),
    }
}

fn row_from_proto(saved: head::Row, starts: &SavedStarts) -> Result<Row, SegmentError> {
    let states = saved.states.map(|states| {
        let [present, stale] = [states.present, states.stale].map(|words| Bits::from_words(&words));
        Box::new(States { present, stale })
    });
    let histograms = saved.histograms.iter().map(|bytes| histogram_from(bytes)).collect::<Result<Vec<_>, _>>()?;
    let histograms = saved.histogram_members.into_iter().zip(histograms).collect();
    let starts = starts.get(saved.starts)?;
    Ok(Row { time: saved.time_ms, values: saved.values.into(), states, histograms, starts })
}

fn frame_to_proto(frame: &Frame) -> head::Frame {
    head::Frame { piece: frame.bytes.clone(), rows: frame.rows, first_ms: frame.first, last_ms: frame.last }
}

fn frame_from_proto(saved: head::Frame) -> Frame {
    Frame { bytes: saved.piece, rows: saved.rows, first: saved.first_ms, last: saved.last_ms }
}

pub(crate) fn timed_to_proto(samples: &[Timed]) -> head::Timed {
    let mut saved = head::Timed::default();
    for sample in samples {
        saved.times_ms.push(sample.time);
        saved.is_histogram.push(matches!(sample.value, TimedValue::Histogram(_)));
        match &sample.value {
            TimedValue::Float(value) => saved.floats.push(*value),
            TimedValue::Histogram(histogram) => saved.histograms.push(histogram_bytes(histogram)),
        }
    }
    if samples.iter().any(|sample| sample.start != 0) {
        saved.start_ms = samples.iter().map(|sample| sample.start).collect();
    }
    saved
}

pub(crate) fn timed_from_proto(saved: Option<head::Timed>) -> Result<Vec<Timed>, SegmentError> {
    let saved = saved.unwrap_or_default();
    let (mut floats, mut histograms) = (saved.floats.into_iter(), saved.histograms.into_iter());
    let mut starts = saved.start_ms.into_iter();
    let samples = saved.times_ms.into_iter().zip(saved.is_histogram).map(|(time, is_histogram)| {
        let value = match is_histogram {
            false => floats.next().map(|value| Ok(TimedValue::Float(value))),
            true => histograms.next().map(|bytes| histogram_from(&bytes).map(TimedValue::Histogram)),
        };
        let start = starts.next().unwrap_or(0);
        Ok(Timed { time, value: value.ok_or_else(|| damaged("a sample without a value"))??, start })
    });
    samples.collect()
}

fn histogram_bytes(histogram: &Histogram) -> bytes::Bytes {
    let mut bytes = Vec::new();
    chunk::histograms::encode(&[histogram], &mut bytes).expect("a histogram that was accepted is valid");
    bytes.into()
}

fn histogram_from(bytes: &[u8]) -> Result<Arc<Histogram>, SegmentError> {
    let mut decoded = Vec::new();
    chunk::histograms::decode(bytes, 1, &mut decoded).map_err(|error| damaged(error.to_string()))?;
    decoded.pop().map(Arc::new).ok_or_else(|| damaged("a histogram is missing"))
}

fn id_bytes(id: u128) -> bytes::Bytes {
    bytes::Bytes::copy_from_slice(&id.to_be_bytes())
}

fn id_from(bytes: &[u8]) -> Result<u128, SegmentError> {
    let bytes = bytes.try_into().map_err(|_| damaged("an id is not of 16 bytes"))?;
    Ok(u128::from_be_bytes(bytes))
}
