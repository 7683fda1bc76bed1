//! Blocks whose checksums are right and whose contents are not: they may say anything, and nothing panics.

use std::sync::Arc;

use bytes::Bytes;
use chunk::{Presence, State};
use futures::executor::block_on;
use futures::stream::TryStreamExt;
use model::{Labels, Matcher, TimeRange};
use proptest::prelude::*;
use series::{Budget, Hints, LabelQuery, QueryError, Queryable, Samples, Select, Series};
use xxhash_rust::xxh3::xxh3_64;

use crate::footer::{Footer, MAGIC, PageEntry, Trailer, seal};
use crate::page::compress;
use crate::{BlockReader, BlockWriter, ChunkRef, verify};

#[derive(Clone, Copy, Debug)]
enum Part {
    Data,
    Times,
    Values,
    Index,
    Directory,
    Footer,
}

const PARTS: [Part; 6] = [Part::Data, Part::Times, Part::Values, Part::Index, Part::Directory, Part::Footer];

fn small_block() -> Bytes {
    let mut writer = BlockWriter::new(Vec::new()).unwrap();
    for at in 0..9i64 {
        let metric = ["down", "sideways", "up"][at as usize / 3];
        let instance = format!("host{}", at % 3);
        let mut chunks = Vec::new();
        for start in [0, 60_000] {
            let times: Vec<i64> = (0..4).map(|row| start + row * 15_000 + at % 3).collect();
            let mut encoded = Vec::new();
            chunk::times::encode(&times, &mut encoded);
            let mut presence = Presence::default();
            presence.push(State::Absent, (at % 2) as usize);
            presence.push(State::Present, 3 - (at % 2) as usize);
            presence.push(State::Stale, 1);
            let mut bytes = Vec::new();
            chunk::encode_floats(&presence, &vec![at as f64 / 3.0; presence.values()], &mut bytes);
            chunks.push((writer.add_times(&encoded).unwrap(), bytes));
        }
        let chunks: Vec<_> = chunks.iter().map(|(times, bytes)| ChunkRef { times: *times, bytes }).collect();
        writer.add_series(&Labels::from_pairs([("__name__", metric), ("instance", &instance)]), &chunks).unwrap();
    }
    writer.finish().unwrap().0.into()
}

/// The block with one of its parts replaced by what `change` makes of it, and all checksums as they should be.
fn rebuild(block: &Bytes, part: Part, change: impl Fn(&mut Vec<u8>)) -> Bytes {
    let length = block.len() as u64;
    let trailer = Trailer::decode(block, length).unwrap();
    let tail = block.slice(block.len() - trailer.length as usize..);
    let mut footer = trailer.decode_footer(&tail, length).unwrap();
    let Footer { groups, times, directory, labels, .. } = &mut footer;
    let mut out = MAGIC.to_vec();
    let mut data_sum = None;
    for group in groups.iter_mut() {
        let mut data = block[group.data_start as usize..(group.data_start + group.data_bytes) as usize].to_vec();
        if matches!(part, Part::Data) {
            change(&mut data);
            // The index says how long chunks are.
            data.resize(group.data_bytes as usize, 0);
            data_sum = Some(xxh3_64(&data));
        }
        out.extend_from_slice(&data);
    }
    let rest = times.iter_mut().map(|page| (Part::Times, page));
    let rest = rest.chain(labels.iter_mut().flat_map(|label| &mut label.pages).map(|page| (Part::Values, page)));
    let rest = rest.chain(groups.iter_mut().map(|group| (Part::Index, &mut group.index)));
    for (of, page) in rest.chain([(Part::Directory, directory)]) {
        out.extend_from_slice(&replace(block, page, |raw| {
            if of as u8 == part as u8 {
                change(raw);
            }
            if let (Part::Index, Some(sum)) = (of, data_sum) {
                // The checksum of the one data page is the last thing that an index page says.
                let at = raw.len() - size_of::<u64>();
                raw[at..].copy_from_slice(&u64::to_le_bytes(sum));
            }
        }));
    }
    let mut raw = footer.encode_raw();
    if matches!(part, Part::Footer) {
        change(&mut raw);
    }
    out.extend_from_slice(&seal(&raw).unwrap());
    out.into()
}

/// The bytes of a page that was changed; updates what the footer says of it.
fn replace(block: &Bytes, page: &mut PageEntry, change: impl Fn(&mut Vec<u8>)) -> Vec<u8> {
    let old = &block[page.start as usize..(page.start + page.bytes) as usize];
    let bytes = if page.raw == 0 {
        let mut bytes = old.to_vec();
        change(&mut bytes);
        bytes
    } else {
        let mut raw = page.decompress(old).unwrap().to_vec();
        change(&mut raw);
        page.raw = raw.len() as u64;
        compress("test", &raw).unwrap()
    };
    (page.bytes, page.checksum) = (bytes.len() as u64, xxh3_64(&bytes));
    bytes
}

/// Asks everything that can be asked, and returns how often the answer was no error.
fn ask_everything(block: Bytes) -> Result<usize, QueryError> {
    block_on(async {
        let block = BlockReader::open("test", Arc::new(block)).await?;
        let mut answers = usize::from(verify(&block).await.is_ok());
        for matchers in [vec![], vec![Matcher::equal("__name__", "up")]] {
            let query =
                LabelQuery { matchers: matchers.clone().into(), range: TimeRange::ALL, limit: 0, limit_bytes: 0 };
            answers += usize::from(block.label_names(query.clone()).await.is_ok());
            answers += usize::from(block.label_values("instance", query).await.is_ok());
            let select = Select { matchers: matchers.into(), range: TimeRange::ALL, hints: Hints::default() };
            let Ok(batches) = block.select(select, &Budget::unlimited()).await else { continue };
            let Ok(batches) = batches.try_collect::<Vec<Vec<Series>>>().await else { continue };
            let mut samples = Samples::default();
            let read = |series: &Series| series.read(TimeRange::ALL, &mut samples).is_ok();
            answers += usize::from(batches.iter().flatten().map(read).filter(|read| !read).count() == 0);
        }
        Ok(answers)
    })
}

#[test]
fn what_is_rebuilt_without_a_change_is_the_same() {
    let block = small_block();
    for part in PARTS {
        assert_eq!(rebuild(&block, part, |_| ()), block, "{part:?}");
    }
    assert_eq!(ask_everything(block), Ok(7));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn wrong_contents_are_borne(
        part in prop::sample::select(PARTS.to_vec()),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
        cut in prop::option::weighted(0.2, any::<prop::sample::Index>()),
    ) {
        let block = rebuild(&small_block(), part, |raw| {
            for (at, byte) in &changes {
                let at = at.index(raw.len());
                raw[at] = *byte;
            }
            if let Some(cut) = cut {
                raw.truncate(cut.index(raw.len()) + 1);
            }
        });
        let _ = ask_everything(block);
    }
}
