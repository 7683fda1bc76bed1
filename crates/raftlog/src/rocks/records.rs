//! What RocksDB must not be given to read.
//!
//! Its write-ahead logs and its list of versions are records in blocks of 32 KiB. Most kinds of records come in pairs, one
//! for new files and one for files that are used again, and its reader (11.8) never gets past a record of the second kind
//! within a file that began with the first: it looks at the same bytes for ever, and not at their checksum. We never let it
//! use a file again, so that such a kind is damage, and a single flipped bit makes one.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

const BLOCK_BYTES: usize = 32 << 10;
/// A masked checksum of all that follows it, the length of what follows the header, and the kind.
const HEADER_BYTES: usize = 7;

/// Looks for a record at which RocksDB would stay for ever when it opens the database in `folder`, and says where it is.
///
/// Reads all write-ahead logs and lists of versions. Blocks.
///
/// # Errors
/// If the disk fails. A database that is not there yet has no such record.
pub(super) fn find_endless(folder: &Path) -> io::Result<Option<String>> {
    let items = match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        items => items?,
    };
    let mut paths: Vec<PathBuf> = items.map(|item| Ok(item?.path())).collect::<io::Result<_>>()?;
    paths.retain(|path| has_records(path));
    paths.sort();
    for path in paths {
        if let Some((at, kind)) = find_in(&mut File::open(&path)?)? {
            let path = path.display();
            return Ok(Some(format!(
                "the record at byte {at} of {path} says that it is of kind {kind}, which is never written"
            )));
        }
    }
    Ok(None)
}

fn has_records(path: &Path) -> bool {
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or("");
    name.starts_with("MANIFEST-") || name.ends_with(".log")
}

/// Where in a file the record is, and its kind. Goes from record to record as RocksDB does.
fn find_in(file: &mut impl Read) -> io::Result<Option<(usize, u8)>> {
    let mut block = Vec::with_capacity(BLOCK_BYTES);
    let mut start = 0;
    loop {
        block.clear();
        file.by_ref().take(BLOCK_BYTES as u64).read_to_end(&mut block)?;
        if let Some((at, kind)) = find_in_block(&block) {
            return Ok(Some((start + at, kind)));
        }
        if block.len() < BLOCK_BYTES {
            return Ok(None);
        }
        start += BLOCK_BYTES;
    }
}

fn find_in_block(block: &[u8]) -> Option<(usize, u8)> {
    let mut at = 0;
    while let Some((&[c0, c1, c2, c3, l0, l1, kind], rest)) = block[at..].split_first_chunk::<HEADER_BYTES>() {
        if matches!(kind, 5..=8 | 11 | 131) {
            return Some((at, kind));
        }
        let len = usize::from(u16::from_le_bytes([l0, l1]));
        if rest.len() < len || u32::from_le_bytes([c0, c1, c2, c3]) != checksum(&block[at + 6..][..len + 1]) {
            // Where the next one begins is not to be trusted: the rest of the block is passed over.
            return None;
        }
        at += HEADER_BYTES + len;
    }
    None
}

/// The checksum of a kind and the bytes behind it, masked so that checksums of bytes with checksums in them stay good ones.
fn checksum(bytes: &[u8]) -> u32 {
    crc32c::crc32c(bytes).rotate_right(15).wrapping_add(0xa282_ead8)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(kind: u8, len: usize) -> Vec<u8> {
        let mut bytes = vec![kind; len + 1];
        bytes[1..].fill(b'x');
        [&checksum(&bytes).to_le_bytes()[..], &(len as u16).to_le_bytes(), &bytes].concat()
    }

    fn find(records: &[Vec<u8>]) -> Option<(usize, u8)> {
        find_in(&mut &*records.concat()).unwrap()
    }

    #[test]
    fn records_that_are_written_pass() {
        assert_eq!(find(&[]), None);
        assert_eq!(find(&[record(1, 0), record(2, 300), record(4, 7), record(9, 4), record(130, 1)]), None);
        let filled = BLOCK_BYTES - HEADER_BYTES;
        assert_eq!(find(&[record(1, filled), record(1, filled - 3), vec![0; 3], record(1, 20)]), None);
    }

    #[test]
    fn a_kind_of_files_that_are_used_again_is_found_wherever_it_is() {
        for kind in [5, 6, 7, 8, 11, 131] {
            assert_eq!(find(&[record(1, 10), record(kind, 10)]), Some((17, kind)));
            let filled = record(1, BLOCK_BYTES - HEADER_BYTES - 3);
            assert_eq!(find(&[filled, vec![0; 3], record(kind, 10)]), Some((BLOCK_BYTES, kind)));
        }
        // It is looked at before the checksum is, and before whether all of it is there.
        let mut torn = record(1, 10);
        torn[6] ^= 4;
        assert_eq!(find(&[record(1, 10), torn[..HEADER_BYTES].to_vec()]), Some((17, 5)));
    }

    #[test]
    fn behind_damage_only_the_next_block_is_looked_at() {
        let mut damaged = record(1, 10);
        damaged[9] ^= 1;
        let behind = record(5, BLOCK_BYTES - damaged.len() - HEADER_BYTES);
        assert_eq!(find(&[damaged.clone(), behind.clone()]), None);
        assert_eq!(find(&[damaged, behind, record(5, 1)]), Some((BLOCK_BYTES, 5)));
        assert_eq!(find(&[vec![0; 100], record(5, 1)]), None);
        assert_eq!(find(&[record(1, 10), record(5, 1)[..HEADER_BYTES - 1].to_vec()]), None);
    }
}
