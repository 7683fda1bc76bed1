//! Where a bucket is, and how patient one is with it.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;
use std::time::Duration;

/// Where a bucket is, and how patient one is with it.
#[derive(Clone)]
pub struct BucketConfig {
    /// `memory://`, `file:///folder`, `s3://bucket/prefix`, `gs://bucket/prefix` or `az://container/prefix`.
    pub url: String,
    /// Settings of the store by the names that `object_store` gives them, such as `aws_endpoint`, `aws_region`,
    /// `aws_access_key_id`. What is not set is taken from the environment's `AWS_…`, `GOOGLE_…` and `AZURE_…`.
    ///
    /// An endpoint that begins with `http://` is spoken to without TLS, and names of buckets are in the path.
    pub settings: BTreeMap<String, String>,
    /// How long one try may take, without uploads of many parts, which get as much for every four parts.
    pub attempt_timeout: Duration,
    /// After how long nothing is tried once more.
    pub deadline: Duration,
    /// How many requests are under way at once. Others wait.
    pub concurrency: usize,
    /// Objects above this size are uploaded in parts of this size.
    pub part_bytes: usize,
}

impl BucketConfig {
    /// A store answers in tens of milliseconds; one that needs half a minute for 8 MiB is out of order.
    pub const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(30);
    /// Long enough for a store to come back after a fail-over, and several tries within.
    pub const DEADLINE: Duration = Duration::from_secs(120);
    /// One connection of S3 gives some 50 MB/s; so many fill a network of 10 Gbit/s with room to spare.
    pub const CONCURRENCY: usize = 64;
    /// Each request to a folder is a thread that copies bytes.
    pub const FOLDER_CONCURRENCY: usize = 8;
    /// Above the 5 MiB that S3 asks for; 10,000 parts, the most there may be, make 80 GiB.
    pub const PART_BYTES: usize = 8 << 20;

    /// A bucket with the usual patience.
    pub fn new(url: &str) -> Self {
        let concurrency = if folder_of(url).is_some() { Self::FOLDER_CONCURRENCY } else { Self::CONCURRENCY };
        Self {
            url: url.to_owned(),
            settings: BTreeMap::new(),
            attempt_timeout: Self::ATTEMPT_TIMEOUT,
            deadline: Self::DEADLINE,
            concurrency,
            part_bytes: Self::PART_BYTES,
        }
    }
}

/// The folder that the URL of a bucket names; `None` if the bucket is no folder.
pub fn folder_of(url: &str) -> Option<&Path> {
    url.strip_prefix("file://").map(Path::new)
}

/// Shows which settings there are and not what they say: some are secrets.
impl fmt::Debug for BucketConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BucketConfig")
            .field("url", &self.url)
            .field("settings", &self.settings.keys())
            .field("attempt_timeout", &self.attempt_timeout)
            .field("deadline", &self.deadline)
            .field("concurrency", &self.concurrency)
            .field("part_bytes", &self.part_bytes)
            .finish()
    }
}
