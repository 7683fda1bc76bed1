//! Answers piece by piece: the samples of one series after the other, in Prometheus' chunks, as storage finds them.

use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes};
use futures::{StreamExt, TryStreamExt, stream};
use model::{Labels, TimeRange};
use prost::Message;
use series::{Budget, Charge, QueryError, Queryable, Samples, Select, Series, SeriesStream};
use stdx::Instant;

use super::messages::{ChunkMessage, ChunkedReadResponse, ChunkedSeries, LabelPair, label_pairs};
use super::{timed_out, with_external};
use crate::app::App;
use crate::query::Turn;

/// What such an answer says it is.
pub(super) const CONTENT_TYPE: &str = "application/x-streamed-protobuf; proto=prometheus.ChunkedReadResponse";

/// The answer to a request, as far as it is not sent yet.
pub(super) struct ChunkStream {
    app: Arc<App>,
    storage: Arc<dyn Queryable>,
    selects: std::iter::Enumerate<std::vec::IntoIter<Select>>,
    /// What is being answered.
    current: Option<Current>,
    budget: Budget,
    start: Instant,
    limit: Duration,
    /// Kept until all is sent, or the client is gone.
    _turn: Turn,
}

struct Current {
    query_index: i64,
    range: TimeRange,
    batches: SeriesStream,
}

impl ChunkStream {
    /// Answers one question after the other, all within `limit`.
    pub(super) fn new(
        app: Arc<App>,
        storage: Arc<dyn Queryable>,
        selects: Vec<Select>,
        limit: Duration,
        turn: Turn,
    ) -> Self {
        let budget = Budget::new(app.config.query_memory.bytes());
        let (selects, start) = (selects.into_iter().enumerate(), app.clock.now());
        Self { app, storage, selects, current: None, budget, start, limit, _turn: turn }
    }

    /// The body of a response.
    ///
    /// # Errors
    /// If not even the beginning can be told. Later a body can only be broken off, which the client sees.
    pub(super) async fn into_body(mut self) -> Result<Body, QueryError> {
        let Some(first) = self.next().await? else { return Ok(Body::empty()) };
        let rest = stream::try_unfold(self, async |mut stream| {
            let piece =
                stream.next().await.inspect_err(|error| tracing::warn!(%error, "a remote read was broken off"))?;
            Ok::<_, QueryError>(piece.map(|piece| (piece, stream)))
        });
        Ok(Body::from_stream(stream::once(std::future::ready(Ok(first))).chain(rest)))
    }

    /// Some frames; nothing at the end.
    async fn next(&mut self) -> Result<Option<Bytes>, QueryError> {
        let app = self.app.clone();
        let left = self.limit.saturating_sub(app.clock.now().saturating_duration_since(self.start));
        app.clock.timeout(left, self.next_piece()).await.unwrap_or_else(|| Err(timed_out(&app)))
    }

    async fn next_piece(&mut self) -> Result<Option<Bytes>, QueryError> {
        loop {
            let Some(current) = &mut self.current else {
                let Some((query_index, select)) = self.selects.next() else { return Ok(None) };
                let range = select.range;
                let batches = self.storage.select(select, &self.budget).await?;
                self.current = Some(Current { query_index: query_index as i64, range, batches });
                continue;
            };
            let Some(batch) = current.batches.try_next().await? else {
                self.current = None;
                continue;
            };
            let (query_index, range) = (current.query_index, current.range);
            let mut frames = Frames::new(&self.app, query_index, self.budget.charge(0, String::new)?);
            let frames = self.app.pool.run(move || {
                batch.iter().try_for_each(|series| frames.add(series, range))?;
                Ok::<_, QueryError>(frames.bytes)
            });
            let frames = frames.await?;
            if !frames.is_empty() {
                return Ok(Some(frames.into()));
            }
        }
    }
}

/// Frames, one behind the other: a uvarint length, four bytes of CRC-32C, the most significant one first, and a message.
struct Frames {
    bytes: Vec<u8>,
    samples: Samples,
    query_index: i64,
    external: Labels,
    /// A frame ends when it has so many bytes.
    frame_bytes: usize,
    /// What they take in memory.
    charge: Charge,
}

impl Frames {
    fn new(app: &App, query_index: i64, charge: Charge) -> Self {
        let frame_bytes = app.config.remote_read_frame_bytes;
        let external = app.config.external_labels.clone();
        Self { bytes: Vec::new(), samples: Samples::new(), query_index, external, frame_bytes, charge }
    }

    /// Adds a series: in one frame, or in several with its labels in each. As in Prometheus a frame is too long by one chunk
    /// at the most.
    fn add(&mut self, series: &Series, range: TimeRange) -> Result<(), QueryError> {
        series.read(range, &mut self.samples)?;
        let labels = label_pairs(&with_external(&series.labels, &self.external));
        let labels_bytes: usize = labels.iter().map(Message::encoded_len).sum();
        let room = self.frame_bytes.saturating_sub(labels_bytes);
        let (mut chunks, mut chunk_bytes) = (Vec::new(), 0);
        for chunk in tsdb::encode(self.samples.iter()) {
            let chunk = ChunkMessage::new(chunk);
            chunk_bytes += chunk.encoded_len();
            chunks.push(chunk);
            if chunk_bytes >= room {
                self.end_frame(labels.clone(), std::mem::take(&mut chunks))?;
                chunk_bytes = 0;
            }
        }
        if chunks.is_empty() { Ok(()) } else { self.end_frame(labels, chunks) }
    }

    fn end_frame(&mut self, labels: Vec<LabelPair>, chunks: Vec<ChunkMessage>) -> Result<(), QueryError> {
        let chunked_series = vec![ChunkedSeries { labels, chunks }];
        let message = ChunkedReadResponse { chunked_series, query_index: self.query_index }.encode_to_vec();
        self.charge.grow(message.len() as u64, || "the chunks of a remote read".to_owned())?;
        prost::encode_length_delimiter(message.len(), &mut self.bytes).expect("a vector grows");
        self.bytes.extend_from_slice(&crc32c::crc32c(&message).to_be_bytes());
        self.bytes.extend_from_slice(&message);
        Ok(())
    }
}
