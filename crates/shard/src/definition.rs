//! Layout definitions as messages, both ways.

use bytes::Bytes;
use head::LayoutDefinition;
use model::{Labels, Metadata};
use prost::Message;
use proto::entry;

/// The most that a compressed part of a definition may be when it is not compressed: labels of half a million series.
const MOST_BYTES: usize = 128 << 20;
/// How hard definitions are compressed: each is sent once per shard.
const LEVEL: i32 = 1;

/// Why a message is no layout definition.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the definition of a layout: {0}")]
pub struct DefinitionError(String);

fn wrong(what: impl Into<String>) -> DefinitionError {
    DefinitionError(what.into())
}

/// The message of a definition. Cost: one pass over all labels, and their compression.
pub fn encode_definition(definition: &LayoutDefinition) -> entry::LayoutDefinition {
    let mut series = Vec::new();
    for labels in &definition.series {
        let bytes = labels.canonical_bytes();
        series.extend_from_slice(&(bytes.len() as u32).to_le_bytes());
        series.extend_from_slice(bytes);
    }
    let family = |(name, metadata): &(Box<str>, Metadata)| entry::Family {
        name: name.to_string(),
        metric_type: metadata.metric_type.as_str().to_owned(),
        help: metadata.help.to_string(),
        unit: metadata.unit.to_string(),
    };
    let families = entry::Families { families: definition.families.iter().map(family).collect() }.encode_to_vec();
    entry::LayoutDefinition {
        common_labels: Bytes::copy_from_slice(definition.common.canonical_bytes()),
        series_count: definition.series.len() as u32,
        series: compressed(&series),
        families: compressed(&families),
    }
}

fn compressed(bytes: &[u8]) -> Bytes {
    if bytes.is_empty() {
        return Bytes::new();
    }
    zstd::bulk::compress(bytes, LEVEL).expect("memory takes all that is written").into()
}

/// The definition that a message says.
///
/// # Errors
/// If its bytes do not decompress to the labels and families that it promises.
pub fn decode_definition(message: &entry::LayoutDefinition) -> Result<LayoutDefinition, DefinitionError> {
    let common = Labels::from_canonical_bytes(&message.common_labels).ok_or_else(|| wrong("the common labels"))?;
    let bytes = decompressed(&message.series, "the series")?;
    let mut rest = &bytes[..];
    let mut series = Vec::new();
    while let Some((length, behind)) = rest.split_first_chunk::<4>() {
        let length = u32::from_le_bytes(*length) as usize;
        let labels = behind.get(..length).and_then(Labels::from_canonical_bytes);
        series.push(labels.ok_or_else(|| wrong(format!("the labels of series {}", series.len())))?);
        rest = &behind[length..];
    }
    if !rest.is_empty() || series.len() != message.series_count as usize {
        return Err(wrong(format!("it has {} series instead of {}", series.len(), message.series_count)));
    }
    let families = decompressed(&message.families, "the families")?;
    let families = entry::Families::decode(&families[..]).map_err(|error| wrong(error.to_string()))?;
    let families = families.families.into_iter().map(decode_family).collect::<Result<_, _>>()?;
    Ok(LayoutDefinition { common, series, families })
}

fn decode_family(family: entry::Family) -> Result<(Box<str>, Metadata), DefinitionError> {
    let metric_type = family.metric_type.parse();
    let metric_type = metric_type.map_err(|()| wrong(format!("{:?} is no metric type", family.metric_type)))?;
    let metadata = Metadata { metric_type, help: family.help.into(), unit: family.unit.into() };
    Ok((family.name.into(), metadata))
}

fn decompressed(bytes: &[u8], what: &str) -> Result<Vec<u8>, DefinitionError> {
    if bytes.is_empty() {
        return Ok(Vec::new());
    }
    // What the frame says of itself is how much is set aside for it: the limit is a thousand times what most need.
    let said = zstd::zstd_safe::get_frame_content_size(bytes).map_err(|_| wrong(format!("{what}: no zstd frame")))?;
    let length = said.map_or(MOST_BYTES, |said| usize::try_from(said).unwrap_or(usize::MAX));
    if length > MOST_BYTES {
        return Err(wrong(format!("{what}: {length} bytes are more than {MOST_BYTES}")));
    }
    zstd::bulk::decompress(bytes, length).map_err(|error| wrong(format!("{what}: {error}")))
}

#[cfg(test)]
mod tests {
    use model::MetricType;
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn definitions_come_back(names in prop::collection::vec("[a-z]{1,8}", 0..20), help in ".{0,20}") {
            let definition = LayoutDefinition {
                common: Labels::from_pairs([("job", "a")]),
                series: names.iter().map(|name| Labels::from_pairs([("__name__", name.as_str())])).collect(),
                families: names
                    .iter()
                    .map(|name| {
                        let metadata = Metadata { metric_type: MetricType::Counter, help: help.as_str().into(), unit: "".into() };
                        (name.as_str().into(), metadata)
                    })
                    .collect(),
            };
            prop_assert_eq!(decode_definition(&encode_definition(&definition)), Ok(definition));
        }

        #[test]
        fn any_bytes_are_read_or_refused(series in prop::collection::vec(any::<u8>(), 0..60), raw in any::<bool>(), count in 0u32..3) {
            let series = if raw { series.clone().into() } else { compressed(&series) };
            let message = entry::LayoutDefinition { series, series_count: count, ..Default::default() };
            if let Ok(definition) = decode_definition(&message) {
                prop_assert_eq!(definition.series.len(), count as usize);
            }
        }
    }
}
