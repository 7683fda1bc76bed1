//! Immutable files of groups.
//!
//! ```text
//! magic     8  "RWSEG\0\0" and the version, 1
//! groups       one piece after another (see `piece`)
//! directory    for each group:
//!   tenant     varint length, text
//!   owner      varint: 2 · target, or 2 · series by itself + 1
//!   offset     varint, from the start of the file
//!   length     varint
//!   checksum   8  xxh3 of the piece, little endian
//!   first      signed  the time of its first sample, in ms
//!   last       signed  the time of its last sample, in ms
//!   rows       varint
//!   series     varint
//! footer       offset of the directory (8), number of groups (8), xxh3 of the directory and these two (8), little endian
//! ```
//!
//! Series are named by their ids, which the snapshot that pins the segment explains.

use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use chunk::wire::{Reader, put_signed, put_varint};
use model::TenantId;
use xxhash_rust::xxh3::xxh3_64;

use crate::group::{Group, range_of};
use crate::tenant::{Owned, Owner};

const MAGIC: [u8; 8] = *b"RWSEG\0\0\x01";
const FOOTER_BYTES: usize = 24;

/// Why a segment can't be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SegmentError {
    /// Its bytes are not what was written.
    #[error("a segment is damaged: {0}")]
    Damaged(String),
    /// A newer version wrote it.
    #[error("a segment is of version {0}, which this version does not know")]
    Version(u8),
}

/// A group in a segment.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) tenant: TenantId,
    pub(crate) owned: Owned,
}

/// The file of a segment, as the snapshots of its shard know it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SegmentFile {
    /// Its name, which holds a hash of its content.
    pub name: String,
    /// How long it is.
    pub size_bytes: u64,
    /// The xxh3 of its bytes.
    pub hash: u128,
}

/// Some megabytes of groups, which lie in one file once they are saved. Where a segment ends derives from the log alone, so
/// all replicas have the same ones.
#[derive(Debug)]
pub struct Segment {
    number: u64,
    pub(crate) entries: Vec<Entry>,
    /// Its file, once it is saved.
    file: OnceLock<SegmentFile>,
}

impl Segment {
    pub(crate) fn new(number: u64, entries: Vec<Entry>) -> Self {
        Self { number, entries, file: OnceLock::new() }
    }

    /// Which segment of its shard this is.
    pub fn number(&self) -> u64 {
        self.number
    }

    /// Its file; `None` as long as it is in memory only.
    pub fn file(&self) -> Option<&SegmentFile> {
        self.file.get()
    }

    /// The parts of its file, one after another.
    pub fn to_file(&self) -> Vec<Bytes> {
        let magic = std::iter::once(Bytes::from_static(&MAGIC));
        let groups = self.entries.iter().map(|entry| entry.owned.group.raw_bytes());
        magic.chain(groups).chain(std::iter::once(self.directory().into())).collect()
    }

    /// What the file ends with: it has the checksums of everything before.
    pub(crate) fn directory(&self) -> Vec<u8> {
        let mut directory = Vec::new();
        let mut offset = MAGIC.len() as u64;
        for Entry { tenant, owned: Owned { owner, group } } in &self.entries {
            let length = group.len_bytes() as u64;
            put_varint(tenant.as_str().len() as u64, &mut directory);
            directory.extend_from_slice(tenant.as_str().as_bytes());
            put_varint(owner.number(), &mut directory);
            put_varint(offset, &mut directory);
            put_varint(length, &mut directory);
            directory.extend_from_slice(&group.checksum().to_le_bytes());
            let (first, last) = group.bounds();
            put_signed(first, &mut directory);
            put_signed(last, &mut directory);
            put_varint(u64::from(group.rows), &mut directory);
            put_varint(u64::from(group.series), &mut directory);
            offset += length;
        }
        directory.extend_from_slice(&offset.to_le_bytes());
        directory.extend_from_slice(&(self.entries.len() as u64).to_le_bytes());
        let checksum = xxh3_64(&directory);
        directory.extend_from_slice(&checksum.to_le_bytes());
        directory
    }

    /// The file is written and mapped: from now on the groups lie there.
    ///
    /// # Panics
    /// If `mapped` is not as long as the file.
    pub fn saved(&self, file: SegmentFile, mapped: &Bytes) {
        let mut offset = MAGIC.len();
        for Entry { owned, .. } in &self.entries {
            let length = owned.group.len_bytes();
            owned.group.moved_to(mapped.slice(offset..offset + length));
            offset += length;
        }
        // A second save of the same segment found the same file.
        drop(self.file.set(file));
    }

    /// Verifies every group. Reads the whole file.
    ///
    /// # Errors
    /// If one is damaged.
    pub fn verify(&self) -> Result<(), SegmentError> {
        let name = self.file().map_or("a segment in memory", |file| &file.name);
        let said = |error| match error {
            SegmentError::Damaged(what) => SegmentError::Damaged(format!("{name}: {what}")),
            other => other,
        };
        self.entries.iter().try_for_each(|entry| entry.owned.group.verify()).map_err(said)
    }

    /// Reads a segment's directory. The groups are verified when they are read.
    ///
    /// # Errors
    /// If the directory is damaged, or of another version.
    pub fn open(number: u64, file: SegmentFile, bytes: &Bytes) -> Result<Self, SegmentError> {
        let damaged = |what: &str| SegmentError::Damaged(format!("{}: {what}", file.name));
        let magic = bytes.get(..MAGIC.len()).ok_or_else(|| damaged("it is too short"))?;
        if magic[..7] != MAGIC[..7] {
            return Err(damaged("it does not begin like one"));
        }
        if magic[7] != MAGIC[7] {
            return Err(SegmentError::Version(magic[7]));
        }
        let footer = bytes.len().checked_sub(FOOTER_BYTES).ok_or_else(|| damaged("it is too short"))?;
        let word = |at: usize| bytes[footer + at..].first_chunk().map_or(0, |word| u64::from_le_bytes(*word));
        let (start, count, checksum) = (word(0), word(8), word(16));
        let start = usize::try_from(start).ok().filter(|start| (MAGIC.len()..=footer).contains(start));
        let start = start.ok_or_else(|| damaged("its directory lies outside"))?;
        if xxh3_64(&bytes[start..footer + 16]) != checksum {
            return Err(damaged("its directory has a wrong checksum"));
        }
        let mut reader = Reader::new("the directory of a segment", &bytes[start..footer]);
        let entries = (0..count).map(|_| read_entry(&mut reader, bytes, start)).collect::<Result<Vec<_>, _>>();
        let entries = entries.map_err(|what| damaged(&what))?;
        let segment = Self::new(number, entries);
        drop(segment.file.set(file));
        Ok(segment)
    }

    /// Whether it has anything that ends after a time, in ms.
    pub(crate) fn ends_after(&self, time_ms: i64) -> bool {
        self.entries.iter().any(|entry| entry.owned.group.range().end().as_ms() > time_ms)
    }
}

fn read_entry(reader: &mut Reader<'_>, file: &Bytes, end: usize) -> Result<Entry, String> {
    let mut read = || -> Result<_, chunk::DecodeError> {
        let length = reader.count("the length of a tenant's name", TenantId::MAX_LENGTH)?;
        let tenant = reader.take(length)?;
        let owner = reader.varint()?;
        let offset = reader.count("the offset of a group", end)?;
        let length = reader.count("the length of a group", end - offset)?;
        let checksum = reader.word()?;
        let (first, last) = (reader.signed()?, reader.signed()?);
        let rows = reader.count("the rows of a group", chunk::MAX_ROWS)?;
        let series = reader.count("the series of a group", u32::MAX as usize)?;
        Ok((tenant, owner, file.slice(offset..offset + length), checksum, first, last, rows, series))
    };
    let (tenant, owner, bytes, checksum, first, last, rows, series) = read().map_err(|error| error.to_string())?;
    let tenant = std::str::from_utf8(tenant).ok().and_then(TenantId::new).ok_or("a tenant without a name")?;
    let owner = Owner::from_number(owner).ok_or("a group of nobody")?;
    let group = Group::mapped(bytes, checksum, range_of(first, last), rows as u32, series as u32);
    Ok(Entry { tenant, owned: Owned { owner, group: Arc::clone(&group) } })
}
