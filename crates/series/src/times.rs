//! Timestamps that many chunks share.

use std::fmt;
use std::sync::OnceLock;

use bytes::Bytes;
use chunk::DecodeError;

use crate::QueryError;

/// The timestamps of the rows of chunks: a column that all series of a target share, as `chunk::times` encodes it.
///
/// It is decoded when it is first asked for, and then once for all.
pub struct Times {
    encoded: Bytes,
    decoded: OnceLock<Result<Box<[i64]>, QueryError>>,
}

impl Times {
    /// A column that was encoded.
    pub fn new(encoded: Bytes) -> Self {
        Self { encoded, decoded: OnceLock::new() }
    }

    /// The column as it was encoded.
    pub fn encoded(&self) -> &Bytes {
        &self.encoded
    }

    /// The timestamps, in ms, ascending, none twice.
    ///
    /// # Errors
    /// [`QueryError::Corrupt`] if the bytes are no such column.
    pub fn get(&self) -> Result<&[i64], QueryError> {
        let decoded = self.decoded.get_or_init(|| decode(&self.encoded));
        decoded.as_ref().map(|times| &**times).map_err(Clone::clone)
    }
}

impl fmt::Debug for Times {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Times({} bytes)", self.encoded.len())
    }
}

fn decode(encoded: &[u8]) -> Result<Box<[i64]>, QueryError> {
    let mut times = Vec::new();
    let decoded = chunk::times::Times::parse(encoded).and_then(|(column, rest)| match rest.len() {
        0 => column.decode(&mut times),
        count => Err(DecodeError::Trailing { what: "column of timestamps", count }),
    });
    decoded.map_err(|error| QueryError::Corrupt(error.to_string()))?;
    if let Some(pair) = times.windows(2).find(|pair| pair[0] >= pair[1]) {
        return Err(QueryError::Corrupt(format!("timestamp {} follows {}", pair[1], pair[0])));
    }
    Ok(times.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn column(times: &[i64]) -> Times {
        let mut encoded = Vec::new();
        chunk::times::encode(times, &mut encoded);
        Times::new(encoded.into())
    }

    #[test]
    fn only_ascending_columns_are_read() {
        assert_eq!(column(&[1, 5, 7]).get(), Ok(&[1, 5, 7][..]));
        assert_eq!(column(&[]).get(), Ok(&[][..]));
        let corrupt = |message: &str| Err(QueryError::Corrupt(message.to_owned()));
        assert_eq!(column(&[1, 5, 5]).get(), corrupt("timestamp 5 follows 5"));
        assert_eq!(Times::new(Bytes::from_static(&[0])).get(), corrupt("column of timestamps ends early"));
        assert_eq!(
            Times::new(Bytes::from_static(&[0, 0, 9])).get(),
            corrupt("column of timestamps is followed by 1 bytes that are not its own")
        );
    }
}
