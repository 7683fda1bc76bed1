//! A bucket and what can be done with its objects.

use std::fmt;
use std::future::Future;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::stream::{self, StreamExt, TryStreamExt};
use object_store::path::Path;
use object_store::{MultipartUpload, ObjectStore, ObjectStoreExt, PutMode, PutPayload};
use stdx::{Backoff, Clock, Rng};
use telemetry::Registry;
use tokio::sync::Semaphore;

use crate::error::Failure;
use crate::folder::Folder;
use crate::metrics::Metrics;
use crate::{BucketConfig, BucketError, ErrorKind, Fault, Faults, Operation, store};

const SHORTEST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(10);
/// How many parts of an upload are under way at once.
const PARTS_AT_ONCE: usize = 4;
/// How often somebody else may be in the way, and then not be there, before this is no accident.
const CONFLICTS: usize = 5;

/// A folder of some store. Clones share it, with its limits.
///
/// Keys are paths below the folder, `a/b/c`, without empty parts. Each operation is tried until its deadline as long as
/// trying again can help; all of them may be repeated by the caller, too, which does no harm.
#[derive(Clone)]
pub struct Bucket {
    store: Arc<dyn ObjectStore>,
    core: Arc<Core>,
    /// After how long nothing is tried once more.
    deadline: Duration,
    faults: Option<Arc<dyn Faults>>,
}

struct Core {
    url: Arc<str>,
    config: BucketConfig,
    clock: Clock,
    rng: Rng,
    metrics: Metrics,
    permits: Semaphore,
    folder: Option<Folder>,
}

/// An object that was listed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// Its key.
    pub key: String,
    /// How long it is.
    pub size_bytes: u64,
}

impl Bucket {
    /// Opens a bucket. Of a local folder this makes the folder; nothing else is asked of the store yet.
    ///
    /// # Errors
    /// [`ErrorKind::Rejected`] if there is no such kind of store, or a setting makes no sense.
    pub fn open(config: BucketConfig, clock: Clock, rng: &Rng, registry: &Registry) -> Result<Self, BucketError> {
        let url: Arc<str> = config.url.as_str().into();
        let (store, folder) =
            store::open(&config).map_err(|failure| BucketError::new(&url, Operation::Open, "", failure))?;
        let metrics = Metrics::register(registry);
        let permits = Semaphore::new(config.concurrency.max(1));
        let deadline = config.deadline;
        let core = Arc::new(Core { url, config, clock, rng: rng.fork(), metrics, permits, folder });
        Ok(Self { store, core, deadline, faults: None })
    }

    /// The same bucket, in which things go wrong.
    pub fn with_faults(&self, faults: Arc<dyn Faults>) -> Self {
        Self { faults: Some(faults), ..self.clone() }
    }

    /// The same bucket for somebody who tries nothing once more after so long.
    pub fn with_deadline(&self, deadline: Duration) -> Self {
        Self { deadline, ..self.clone() }
    }

    /// Where it is.
    pub fn url(&self) -> &str {
        &self.core.url
    }

    /// Whether it is a folder of this machine.
    pub fn is_folder(&self) -> bool {
        self.core.folder.is_some()
    }

    /// Makes sure that an object is there and has these bytes.
    ///
    /// # Errors
    /// [`ErrorKind::AlreadyExists`] if it is there and has others, which then it keeps. After [`ErrorKind::Unavailable`]
    /// it may be there or not.
    pub async fn create(&self, key: &str, bytes: Bytes) -> Result<(), BucketError> {
        for _ in 0..CONFLICTS {
            let put = |path: Path, _| {
                let bytes = bytes.clone();
                async move {
                    self.store.put_opts(&path, bytes.into(), PutMode::Create.into()).await?;
                    Ok(())
                }
            };
            match self.run(Operation::Create, key, 1, put).await {
                Ok(()) => {
                    self.core.metrics.written(bytes.len());
                    return Ok(());
                }
                Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
                Err(error) => return Err(error),
            }
            // Perhaps an earlier try did it, and its answer was lost.
            match self.has_bytes(key, &bytes).await {
                Ok(true) => return Ok(()),
                Ok(false) => return Err(self.error(Operation::Create, key, Failure::OtherBytes)),
                // Somebody else was about to create it, and did not.
                Err(error) if error.kind() == ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
        }
        Err(self.error(Operation::Create, key, Failure::Vanished))
    }

    async fn has_bytes(&self, key: &str, bytes: &Bytes) -> Result<bool, BucketError> {
        Ok(self.size(key).await? == bytes.len() as u64 && self.read(key, bytes.len() as u64).await? == bytes)
    }

    /// Makes sure that an object is there that is as long as these parts together, and has them unless it was there before.
    ///
    /// This is for keys that name their contents: stores cannot all create an object of many parts only if there is none,
    /// so of two that do it at once the later one may overwrite the earlier one, with the same bytes. Up to the size of a
    /// part, an object is created in one go and only if there is none. Half an object is never seen.
    ///
    /// # Errors
    /// [`ErrorKind::Corrupt`] if there is an object with this key of another length.
    pub async fn upload(&self, key: &str, parts: &[Bytes]) -> Result<(), BucketError> {
        let expected = parts.iter().map(|part| part.len() as u64).sum();
        for _ in 0..CONFLICTS {
            match self.size(key).await {
                Ok(found) if found == expected => return Ok(()),
                Ok(found) => return Err(self.error(Operation::Upload, key, Failure::Size { found, expected })),
                Err(error) if error.kind() == ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
            self.upload_unseen(key, parts, expected).await?;
        }
        Err(self.error(Operation::Upload, key, Failure::Vanished))
    }

    async fn upload_unseen(&self, key: &str, parts: &[Bytes], length: u64) -> Result<(), BucketError> {
        let part_bytes = self.core.config.part_bytes;
        if length <= part_bytes as u64 {
            let put = |path: Path, _| async move {
                let payload: PutPayload = parts.iter().cloned().collect();
                self.store.put_opts(&path, payload, PutMode::Create.into()).await?;
                Ok(())
            };
            return match self.run(Operation::Upload, key, 1, put).await {
                Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(()),
                put => put.map(|()| self.core.metrics.written(length as usize)),
            };
        }
        let patience = length.div_ceil((part_bytes * PARTS_AT_ONCE) as u64);
        let put = |path: Path, _| async move {
            let mut upload = self.store.put_multipart_opts(&path, object_store::PutMultipartOptions::default()).await?;
            let sent = send_parts(&mut *upload, regroup(parts, part_bytes)).await;
            if sent.is_err() {
                // What is left behind is swept by the store's own rules.
                let _ = upload.abort().await;
            }
            Ok(sent?)
        };
        self.run(Operation::Upload, key, u32::try_from(patience).unwrap_or(u32::MAX), put).await?;
        self.core.metrics.written(length as usize);
        Ok(())
    }

    /// Reads an object of at most `limit_bytes` bytes.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`]; [`ErrorKind::Rejected`] if it is longer.
    pub async fn read(&self, key: &str, limit_bytes: u64) -> Result<Bytes, BucketError> {
        let read = |path: Path, fault: Fault| async move {
            let object = self.store.get(&path).await?;
            let expected = object.meta.size;
            if expected > limit_bytes {
                return Err(Failure::TooLarge { found: expected, limit: limit_bytes });
            }
            whole(fault.apply(object.bytes().await?), expected)
        };
        let bytes = self.run(Operation::Read, key, 1, read).await?;
        self.core.metrics.read(bytes.len());
        Ok(bytes)
    }

    /// Reads a range of an object, which must be within it.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`]; [`ErrorKind::Unavailable`] if the object is too short.
    pub async fn read_range(&self, key: &str, range: Range<u64>) -> Result<Bytes, BucketError> {
        let length = range.end.saturating_sub(range.start);
        if length == 0 {
            return Ok(Bytes::new());
        }
        let read = |path: Path, fault: Fault| {
            let range = range.clone();
            async move { whole(fault.apply(self.store.get_range(&path, range).await?), length) }
        };
        let bytes = self.run(Operation::Read, key, 1, read).await?;
        self.core.metrics.read(bytes.len());
        Ok(bytes)
    }

    /// The bytes of some ranges of an object, if they are in memory: of objects in a folder that were written or read lately.
    /// Waits for nothing.
    pub(crate) fn in_memory(&self, key: &str, ranges: &[Range<u64>]) -> Option<Vec<Bytes>> {
        let folder = self.core.folder.as_ref().filter(|_| self.faults.is_none())?;
        let found = folder.in_memory(&Path::parse(key).ok()?, ranges)?;
        found.iter().for_each(|bytes| self.core.metrics.read(bytes.len()));
        Some(found)
    }

    /// How long an object is.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`].
    pub async fn size(&self, key: &str) -> Result<u64, BucketError> {
        let head = |path: Path, _| async move { Ok(self.store.head(&path).await?.size) };
        self.run(Operation::Head, key, 1, head).await
    }

    /// All objects below a folder, however deep, in order of their keys; none if there is no such folder. Empty: all.
    ///
    /// Takes a request for about 1,000 objects, and memory for all of them.
    ///
    /// # Errors
    /// If the store cannot be asked.
    pub async fn list(&self, folder: &str) -> Result<Vec<Listed>, BucketError> {
        let list = |path: Path, _| async move {
            let folder = (!path.as_ref().is_empty()).then_some(&path);
            let objects = self
                .store
                .list(folder)
                .map_ok(|object| Listed { key: object.location.to_string(), size_bytes: object.size });
            Ok(objects.try_collect::<Vec<_>>().await?)
        };
        let mut listed = self.run(Operation::List, folder, 1, list).await?;
        listed.sort_unstable_by(|a, b| a.key.cmp(&b.key));
        Ok(listed)
    }

    /// Makes sure that there is no such object.
    ///
    /// # Errors
    /// If the store cannot be asked, or refuses.
    pub async fn delete(&self, key: &str) -> Result<(), BucketError> {
        let delete = |path: Path, _| async move {
            match self.store.delete(&path).await {
                Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
                Err(error) => Err(error.into()),
            }
        };
        self.run(Operation::Delete, key, 1, delete).await
    }

    pub(crate) fn error(&self, operation: Operation, key: &str, failure: Failure) -> BucketError {
        BucketError::new(&self.core.url, operation, key, failure)
    }

    /// Tries until it is done, or hopeless, or too late. It may take `patience` times as long as usual.
    async fn run<T, F>(
        &self,
        operation: Operation,
        key: &str,
        patience: u32,
        attempt: impl Fn(Path, Fault) -> F,
    ) -> Result<T, BucketError>
    where
        F: Future<Output = Result<T, Failure>>,
    {
        let Core { config, clock, rng, metrics, .. } = &*self.core;
        let path = Path::parse(key).map_err(|error| self.error(operation, key, Failure::Store(error.into())))?;
        if path.as_ref() != key || key.is_empty() && operation != Operation::List {
            return Err(self.error(operation, key, Failure::Key));
        }
        let too_late = clock.now() + self.deadline.saturating_mul(patience);
        let mut backoff = Backoff::new(SHORTEST_PAUSE, LONGEST_PAUSE, rng.fork());
        loop {
            let started = clock.now();
            let limit = config.attempt_timeout.saturating_mul(patience);
            let tried = self.attempt(operation, key, limit, |fault| attempt(path.clone(), fault)).await;
            metrics.tried(operation, clock.now() - started);
            let failure = match tried {
                Ok(answer) => return Ok(answer),
                Err(failure) => failure,
            };
            let pause = backoff.next_pause();
            let error = self.error(operation, key, failure);
            metrics.failed(operation, error.kind());
            if error.kind() != ErrorKind::Unavailable || clock.now() + pause >= too_late {
                return Err(error);
            }
            clock.sleep(pause).await;
        }
    }

    async fn attempt<T, F>(
        &self,
        operation: Operation,
        key: &str,
        limit: Duration,
        attempt: impl FnOnce(Fault) -> F,
    ) -> Result<T, Failure>
    where
        F: Future<Output = Result<T, Failure>>,
    {
        let fault = self.faults.as_ref().map_or(Fault::None, |faults| faults.next(operation, key));
        let work = async {
            let _permit = self.core.permits.acquire().await.expect("nobody closes it");
            match fault {
                Fault::Slow(delay) => self.core.clock.sleep(delay).await,
                Fault::Refused => return Err(Failure::Injected("refused")),
                _ => {}
            }
            let answer = attempt(fault).await?;
            if fault == Fault::LostReply { Err(Failure::Injected("the reply is lost")) } else { Ok(answer) }
        };
        self.core.clock.timeout(limit, work).await.unwrap_or(Err(Failure::TimedOut(limit)))
    }
}

impl fmt::Debug for Bucket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Bucket({})", self.core.url)
    }
}

/// An answer, if it is as long as it should be.
fn whole(bytes: Bytes, expected: u64) -> Result<Bytes, Failure> {
    let found = bytes.len() as u64;
    if found == expected { Ok(bytes) } else { Err(Failure::Short { found, expected }) }
}

async fn send_parts(upload: &mut dyn MultipartUpload, parts: Vec<PutPayload>) -> Result<(), object_store::Error> {
    let parts: Vec<_> = parts.into_iter().map(|part| upload.put_part(part)).collect();
    stream::iter(parts).buffer_unordered(PARTS_AT_ONCE).try_collect::<Vec<()>>().await?;
    upload.complete().await?;
    Ok(())
}

/// The same bytes in parts of equal size, but for the last one. Nothing is copied.
fn regroup(parts: &[Bytes], part_bytes: usize) -> Vec<PutPayload> {
    let mut regrouped = Vec::new();
    let (mut group, mut room) = (Vec::new(), part_bytes);
    for part in parts {
        let mut part = part.clone();
        while !part.is_empty() {
            let piece = part.split_to(room.min(part.len()));
            room -= piece.len();
            group.push(piece);
            if room == 0 {
                regrouped.push(group.drain(..).collect());
                room = part_bytes;
            }
        }
    }
    if !group.is_empty() {
        regrouped.push(group.into_iter().collect());
    }
    regrouped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_of_equal_size() {
        let parts = [Bytes::from_static(b"abcd"), Bytes::new(), Bytes::from_static(b"e"), Bytes::from_static(b"fgh")];
        let texts = |size| -> Vec<String> {
            let payloads = regroup(&parts, size).into_iter();
            payloads.map(|payload| String::from_utf8(Bytes::from(payload).to_vec()).expect("letters")).collect()
        };
        assert_eq!(texts(3), ["abc", "def", "gh"]);
        assert_eq!(texts(4), ["abcd", "efgh"]);
        assert_eq!(texts(9), ["abcdefgh"]);
    }
}
