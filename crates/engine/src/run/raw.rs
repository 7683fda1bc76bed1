//! A range selector outside of any function: the samples themselves.

use futures::TryStreamExt;
use series::{QueryError, Samples, SeriesStream};

use super::Run;
use crate::plan::RawSamples;
use crate::range::with_edges;
use crate::read::remove_stale;
use crate::result::MatrixSeries;
use crate::tally::{Reads, histogram_weight};

impl Run {
    /// The samples of each series in the range.
    pub(super) async fn raw_samples(
        &self,
        raw: &RawSamples,
        mut stream: SeriesStream,
    ) -> Result<(Vec<MatrixSeries>, Reads), QueryError> {
        let grid = self.plan.scopes[0].grid;
        let selection = &self.plan.selections[raw.selection];
        let mut reads = Reads::none(grid);
        let mut result = Vec::new();
        let mut samples = Samples::new();
        let mut charge = self.budget.charge(0, String::new)?;
        while let Some(batch) = stream.try_next().await? {
            for series in batch {
                self.watch.check()?;
                series.read(selection.range, &mut samples)?;
                remove_stale(&mut samples);
                let (floats, histograms) = self.cut(raw, &samples)?;
                let weight: u64 =
                    histograms.iter().map(|(_, histogram)| histogram_weight(histogram.size_bytes())).sum();
                let size = floats.len() as u64 + weight;
                if size == 0 {
                    continue;
                }
                reads.queryable[0] += size;
                reads.new[0] += size;
                if reads.queryable[0] > self.max_samples {
                    return Err(QueryError::TooManySamples);
                }
                charge.grow(size * 16 + series.labels.size_bytes() as u64, || selection.text.clone())?;
                result.push(MatrixSeries { labels: series.labels, floats, histograms });
            }
        }
        Ok((result, reads))
    }

    /// The samples as they are answered. `anchored` and `smoothed` have one at each edge.
    fn cut(&self, raw: &RawSamples, samples: &Samples) -> Result<(Floats, Histograms), QueryError> {
        let Some(extension) = raw.call.extension else {
            let floats = samples.float_times.iter().copied().zip(samples.floats.iter().copied()).collect();
            let histograms = samples.histogram_times.iter().copied().zip(samples.histograms.iter().cloned()).collect();
            return Ok((floats, histograms));
        };
        if !samples.histograms.is_empty() {
            let message = format!("{} modifier is not supported with histograms", extension.as_str());
            return Err(QueryError::Execution(message));
        }
        let end = raw.call.reference.time(self.plan.scopes[0].grid.start());
        Ok((with_edges(&raw.call, &samples.float_times, &samples.floats, end), Vec::new()))
    }
}

type Floats = Vec<(i64, f64)>;
type Histograms = Vec<(i64, std::sync::Arc<model::Histogram>)>;
