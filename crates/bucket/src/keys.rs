//! Where in a bucket everything lies.
//!
//! ```text
//! blocks/<tenant>/<ULID>/<hash>.rwb      the file of a block, or of an upload that came to nothing
//! blocks/<tenant>/<ULID>/meta.json       makes a block of the file that it names
//! catalog/<version, 20 digits>.json.zst  the catalog as it was then
//! ```

use block::BlockMeta;
use model::{BlockId, TenantId};

/// The folder of all blocks.
pub(crate) const BLOCKS: &str = "blocks";
/// The folder of all catalogs.
pub(crate) const CATALOGS: &str = "catalog";
const META: &str = "meta.json";
const CATALOG_ENDING: &str = ".json.zst";

/// Where a block lies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BlockKeys {
    folder: String,
}

impl BlockKeys {
    /// The keys of a block, whether it exists or not.
    pub fn new(tenant: &TenantId, id: BlockId) -> Self {
        Self { folder: format!("{BLOCKS}/{tenant}/{id}") }
    }

    /// The keys of a block.
    pub fn of(meta: &BlockMeta) -> Self {
        Self::new(&meta.origin.tenant, meta.id)
    }

    /// The block's folder: all of its keys begin so, and others that were to become it.
    pub fn folder(&self) -> &str {
        &self.folder
    }

    /// The key of a file of the block's folder.
    pub fn file(&self, name: &str) -> String {
        format!("{}/{name}", self.folder)
    }

    /// The key of what makes it a block.
    pub fn meta(&self) -> String {
        self.file(META)
    }

    /// Whether this is the key of what makes a block.
    pub(crate) fn is_meta(key: &str) -> bool {
        key.rsplit('/').next() == Some(META)
    }
}

/// The key of a version of the catalog.
pub(crate) fn catalog(version: u64) -> String {
    format!("{CATALOGS}/{version:020}{CATALOG_ENDING}")
}

/// The version of the catalog that has this key.
pub(crate) fn catalog_version(key: &str) -> Option<u64> {
    let digits = key.strip_prefix(CATALOGS)?.strip_prefix('/')?.strip_suffix(CATALOG_ENDING)?;
    (digits.len() == 20).then(|| digits.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_as_drawn() {
        let keys = BlockKeys::new(&TenantId::new("team-(a)").expect("a name"), BlockId(7));
        assert_eq!(keys.meta(), "blocks/team-(a)/00000000000000000000000007/meta.json");
        assert_eq!(keys.file("x.rwb"), "blocks/team-(a)/00000000000000000000000007/x.rwb");
        assert!(BlockKeys::is_meta(&keys.meta()) && !BlockKeys::is_meta("blocks/a/b/xmeta.json"));
        assert_eq!(catalog(12), "catalog/00000000000000000012.json.zst");
        assert_eq!(catalog_version(&catalog(u64::MAX)), Some(u64::MAX));
        for key in ["catalog/12.json.zst", "catalog/0000000000000000001x.json.zst", "x/00000000000000000012.json.zst"] {
            assert_eq!(catalog_version(key), None, "{key}");
        }
    }
}
