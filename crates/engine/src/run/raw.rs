//! A range selector outside of any function: the samples themselves.

use std::sync::Arc;

use futures::TryStreamExt;
use model::{Histogram, TimeRange};
use series::{QueryError, Samples, Series, SeriesStream};

use super::Run;
use crate::grid::Grid;
use crate::plan::RawSamples;
use crate::range::{RangeCall, with_edges};
use crate::read::remove_stale;
use crate::result::MatrixSeries;
use crate::tally::{Reads, histogram_weight};
use crate::watch::Watch;

impl Run {
    /// The samples of each series in the range.
    pub(super) async fn raw_samples(
        &self,
        raw: &RawSamples,
        mut stream: SeriesStream,
    ) -> Result<(Vec<MatrixSeries>, Reads), QueryError> {
        let grid = self.plan.scopes[0].grid;
        let selection = &self.plan.selections[raw.selection];
        let read = RawRead { call: raw.call.clone(), range: selection.range, grid, watch: self.watch.clone() };
        let read = Arc::new(read);
        let mut result = Vec::new();
        let mut samples = 0;
        let mut charge = self.budget.charge(0, String::new)?;
        while let Some(batch) = stream.try_next().await? {
            let read = read.clone();
            for (series, size) in self.pool.run(move || read.batch(batch)).await? {
                samples += size;
                charge.grow(size * 16 + series.labels.size_bytes() as u64, || selection.text.clone())?;
                result.push(series);
            }
            if samples > self.max_samples {
                return Err(QueryError::TooManySamples);
            }
        }
        let mut reads = Reads::none(grid);
        (reads.queryable[0], reads.new[0]) = (samples, samples);
        Ok((result, reads))
    }
}

/// What reading samples needs to know.
struct RawRead {
    call: RangeCall,
    range: TimeRange,
    grid: Grid,
    watch: Watch,
}

impl RawRead {
    /// The samples of some series, and how many they count as. Series without samples go.
    fn batch(&self, batch: Vec<Series>) -> Result<Vec<(MatrixSeries, u64)>, QueryError> {
        let mut samples = Samples::new();
        let mut result = Vec::with_capacity(batch.len());
        for series in batch {
            self.watch.check()?;
            series.read(self.range, &mut samples)?;
            remove_stale(&mut samples);
            let (floats, histograms) = self.cut(&samples)?;
            let weight: u64 = histograms.iter().map(|(_, histogram)| histogram_weight(histogram.size_bytes())).sum();
            let size = floats.len() as u64 + weight;
            if size > 0 {
                result.push((MatrixSeries { labels: series.labels, floats, histograms }, size));
            }
        }
        Ok(result)
    }

    /// The samples as they are answered. `anchored` and `smoothed` have one at each edge.
    fn cut(&self, samples: &Samples) -> Result<(Floats, Histograms), QueryError> {
        let Some(extension) = self.call.extension else {
            let floats = samples.float_times.iter().copied().zip(samples.floats.iter().copied()).collect();
            let histograms = samples.histogram_times.iter().copied().zip(samples.histograms.iter().cloned()).collect();
            return Ok((floats, histograms));
        };
        if !samples.histograms.is_empty() {
            let message = format!("{} modifier is not supported with histograms", extension.as_str());
            return Err(QueryError::Execution(message));
        }
        let end = self.call.reference.time(self.grid.start());
        Ok((with_edges(&self.call, &samples.float_times, &samples.floats, end), Vec::new()))
    }
}

type Floats = Vec<(i64, f64)>;
type Histograms = Vec<(i64, Arc<Histogram>)>;
