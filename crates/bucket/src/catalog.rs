//! The catalog of blocks, kept in the bucket.

use bytes::Bytes;

use crate::error::Failure;
use crate::keys::{CATALOGS, catalog, catalog_version};
use crate::{Bucket, BucketError, ErrorKind, Operation};

/// The largest catalog, decompressed: a million blocks.
const LIMIT_BYTES: usize = 512 << 20;
/// Catalogs are a few kilobytes to megabytes and are written once in a while.
const COMPRESSION_LEVEL: i32 = 9;

/// The versions of a catalog, each an object that is never overwritten. What a catalog says its owner knows.
#[derive(Clone, Debug)]
pub struct Catalogs {
    bucket: Bucket,
}

impl Catalogs {
    /// The catalogs of a bucket.
    pub fn new(bucket: Bucket) -> Self {
        Self { bucket }
    }

    /// Saves a version. One that was saved before stays as it is: whoever saved it said the same.
    ///
    /// # Errors
    /// If the store cannot be asked.
    pub async fn save(&self, version: u64, json: &[u8]) -> Result<(), BucketError> {
        let key = catalog(version);
        let contents = |error: std::io::Error| {
            self.bucket.error(Operation::Create, &key, Failure::Contents(format!("compress it: {error}")))
        };
        let bytes = zstd::bulk::compress(json, COMPRESSION_LEVEL).map_err(contents)?;
        match self.bucket.create(&key, bytes.into()).await {
            // Another version of zstd may write other bytes.
            Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(()),
            other => other,
        }
    }

    /// The versions that are there, ascending.
    ///
    /// # Errors
    /// If the store cannot be asked.
    pub async fn versions(&self) -> Result<Vec<u64>, BucketError> {
        let listed = self.bucket.list(CATALOGS).await?;
        Ok(listed.iter().filter_map(|object| catalog_version(&object.key)).collect())
    }

    /// Reads a version.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`]; [`ErrorKind::Corrupt`] if it does not decompress.
    pub async fn read(&self, version: u64) -> Result<Bytes, BucketError> {
        let key = catalog(version);
        let bytes = self.bucket.read(&key, LIMIT_BYTES as u64).await?;
        let corrupt = |message: String| self.bucket.error(Operation::Read, &key, Failure::Contents(message));
        let length = zstd::zstd_safe::get_frame_content_size(&bytes).ok().flatten();
        let length = length.and_then(|length| usize::try_from(length).ok()).filter(|length| *length <= LIMIT_BYTES);
        let length = length.ok_or_else(|| corrupt("it does not say how long it is, or is too long".to_owned()))?;
        let json = zstd::bulk::decompress(&bytes, length);
        Ok(json.map_err(|error| corrupt(format!("decompress it: {error}")))?.into())
    }

    /// Deletes the versions before the last `keep`.
    ///
    /// # Errors
    /// If the store cannot be asked, or refuses.
    pub async fn prune(&self, keep: usize) -> Result<(), BucketError> {
        let versions = self.versions().await?;
        for version in &versions[..versions.len().saturating_sub(keep)] {
            self.bucket.delete(&catalog(*version)).await?;
        }
        Ok(())
    }
}
