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

impl ShardId {
    /// The metadata group.
    pub const META: Self = Self(0);
}

#[cfg(test)]
mod tests {
    use super::*;

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
