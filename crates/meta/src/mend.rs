//! What is wrong with a catalog, as a request to mend it.

use model::BlockId;
use proto::meta;

use crate::state::Block;
use crate::wire;

/// What a catalog is to have, and what not. Done in parts where it is much: each part is a change by itself.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct CatalogMend {
    /// Blocks that it is to have, in place of those of the same ids.
    pub blocks: Vec<(BlockId, Block)>,
    /// Blocks that it is to forget.
    pub removed: Vec<BlockId>,
    /// Said with the last of the blocks that are taken over from another cluster: they have samples before this time, in ms.
    /// From then on shards let readers look into the catalog for what is older.
    pub adopted_before_ms: Option<i64>,
}

impl CatalogMend {
    pub(crate) fn to_proto(&self) -> meta::MendCatalogRequest {
        meta::MendCatalogRequest {
            blocks: self.blocks.iter().map(|(id, block)| wire::block_to_proto(*id, block)).collect(),
            removed: self.removed.iter().map(|id| wire::id_to_proto(id.0)).collect(),
            adopted_before_ms: self.adopted_before_ms,
        }
    }
}
