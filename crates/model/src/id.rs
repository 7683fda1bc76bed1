//! Names of the things a cluster is made of.

use std::fmt;
use std::sync::Arc;

/// How many slots the key space has. Part of every durable format: it never changes.
pub const SLOT_COUNT: u16 = 4096;

/// Whose data it is. Chosen by the `X-Scope-OrgID` header; all data of a single-tenant cluster belong to one.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TenantId(Arc<str>);

impl TenantId {
    /// The tenant of requests that name none.
    pub const DEFAULT: &str = "anonymous";
    /// The longest name, in bytes.
    pub const MAX_LENGTH: usize = 150;

    /// The tenant called `name`; `None` if that is no name: empty, too long, `.` or `..`, or with characters other than
    /// letters, digits and `! - _ . * ' ( )`, which is what Mimir accepts and object keys bear.
    pub fn new(name: &str) -> Option<Self> {
        let fine = |byte: u8| byte.is_ascii_alphanumeric() || b"!-_.*'()".contains(&byte);
        let valid = !name.is_empty() && name.len() <= Self::MAX_LENGTH && name.bytes().all(fine);
        (valid && name != "." && name != "..").then(|| Self(name.into()))
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Default for TenantId {
    fn default() -> Self {
        Self(Self::DEFAULT.into())
    }
}

impl fmt::Display for TenantId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

macro_rules! number {
    ($(#[$doc:meta])* $name:ident($inner:ty), $format:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub $inner);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, $format, self.0)
            }
        }
    };
}

number!(
    /// A 64-bit hash of a label set. May collide: it spreads series, it never identifies one.
    SeriesHash(u64), "{:016x}"
);
number!(
    /// A 128-bit hash of what identifies a target: tenant, job, final labels, URL. Decides its slot.
    TargetId(u128), "{:032x}"
);
number!(
    /// A 128-bit hash that names a layout: the ordered series of one target's page.
    LayoutHash(u128), "{:032x}"
);
number!(
    /// One of the [`SLOT_COUNT`] parts of the key space.
    Slot(u16), "{}"
);
number!(
    /// A Raft group that owns slots. Shard 0 is meta, which owns none.
    ShardId(u32), "{}"
);
number!(
    /// A process with an identity and a data directory. Given out by meta, never twice.
    NodeId(u64), "{}"
);

/// Names a block: a ULID. Blocks of one cut bear the same id whoever builds them.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BlockId(pub u128);

/// Crockford's base 32.
const ULID_DIGITS: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";

impl BlockId {
    /// The id of a block that ends at `time_ms` and whose origin hashes to `hash`, of which 80 bits are used.
    ///
    /// Times outside the 48 bits that a ULID has for them are clamped: the hash alone makes ids differ.
    pub fn new(time_ms: i64, hash: u128) -> Self {
        let time = time_ms.clamp(0, (1 << 48) - 1) as u128;
        Self(time << 80 | hash & ((1 << 80) - 1))
    }

    /// The id that is written so; `None` if `text` is not one, which has 26 digits, letters being capitals.
    pub fn parse(text: &str) -> Option<Self> {
        let digit = |of: u8| ULID_DIGITS.iter().position(|digit| *digit == of);
        let fits = text.len() == 26 && text.as_bytes()[0] <= b'7';
        let add = |id: u128, of: u8| Some(id << 5 | digit(of)? as u128);
        fits.then(|| text.bytes().try_fold(0, add)).flatten().map(Self)
    }
}

impl fmt::Display for BlockId {
    /// Writes the 26 digits of a ULID.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (0..26).rev().try_for_each(|digit| {
            let value = (self.0 >> (digit * 5)) as usize & 31;
            fmt::Write::write_char(f, char::from(ULID_DIGITS[value]))
        })
    }
}

impl fmt::Debug for BlockId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl ShardId {
    /// The metadata group.
    pub const META: Self = Self(0);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_are_named_by_ulids() {
        let id = BlockId::new(1_602_246_884_162, u128::MAX);
        assert_eq!(id.to_string(), "01EM6NPET2ZZZZZZZZZZZZZZZZ");
        assert_eq!(BlockId::new(-5, 1), BlockId(1));
        for id in [id, BlockId(0), BlockId(u128::MAX)] {
            assert_eq!(BlockId::parse(&id.to_string()), Some(id));
        }
        for text in [
            "",
            "01EM6NPET2ZZZZZZZZZZZZZZZ",
            "8ZZZZZZZZZZZZZZZZZZZZZZZZZ",
            "01em6npet2zzzzzzzzzzzzzzzz",
            "ü1EM6NPET2ZZZZZZZZZZZZZZZ",
        ] {
            assert_eq!(BlockId::parse(text), None, "{text}");
        }
    }

    #[test]
    fn tenants_have_names_that_object_keys_bear() {
        for name in ["anonymous", "team-a", "a.b", "(x)!*'"] {
            assert_eq!(TenantId::new(name).map(|tenant| tenant.to_string()).as_deref(), Some(name));
        }
        for name in ["", ".", "..", "a/b", "a|b", "ü", &"x".repeat(151)] {
            assert_eq!(TenantId::new(name), None, "{name}");
        }
    }
}
