//! Who a node is, on its disk.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use model::NodeId;
use serde::{Deserialize, Serialize};
use stdx::Disk;
use xxhash_rust::xxh3::xxh3_64;

/// What makes a node the one it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The cluster it belongs to.
    pub cluster_id: u128,
    /// Which node of it.
    pub node: NodeId,
}

/// Why the identity could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum IdentityError {
    /// The disk failed.
    #[error("read or write {path}")]
    Io {
        /// The file.
        path: String,
        /// What failed.
        source: io::Error,
    },
    /// The file is no identity.
    #[error("{path} is no identity of a node: {what}")]
    Malformed {
        /// The file.
        path: String,
        /// Why.
        what: String,
    },
}

/// The file that holds a node's identity. People may read it; nobody should write it.
#[derive(Clone)]
pub struct IdentityFile {
    disk: Arc<dyn Disk>,
    path: PathBuf,
}

/// What the file holds. Version 2; version 1 was the same without its hash.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Stored {
    version: u32,
    /// 32 hexadecimal digits.
    cluster_id: String,
    node_id: u64,
    /// How the cluster was formed, if this node was there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) founding: Option<Founding>,
    /// What the rest hashes to, in hexadecimal digits: a node whose number has changed would take another one's place.
    #[serde(skip_serializing_if = "Option::is_none")]
    hash: Option<String>,
}

/// How a cluster is formed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Founding {
    pub(crate) members: Vec<FoundingMember>,
    pub(crate) shards: u32,
    pub(crate) replication: u32,
    pub(crate) block_window_ms: i64,
    /// Whether this node must still tell the others.
    pub(crate) tell: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct FoundingMember {
    pub(crate) node_id: u64,
    pub(crate) address: String,
    pub(crate) zone: String,
}

impl Stored {
    pub(crate) fn new(identity: Identity, founding: Option<Founding>) -> Self {
        let cluster_id = format!("{:032x}", identity.cluster_id);
        let mut stored = Self { version: 2, cluster_id, node_id: identity.node.0, founding, hash: None };
        stored.hash = Some(stored.hash_of_rest());
        stored
    }

    /// The hash of everything else, as it is written without a space.
    fn hash_of_rest(&self) -> String {
        let rest = Self { hash: None, ..self.clone() };
        let text = serde_json::to_vec(&rest).expect("strings and numbers can be written");
        format!("{:016x}", xxh3_64(&text))
    }

    fn check(&self) -> Result<(), &'static str> {
        match (self.version, &self.hash) {
            (1, None) => Ok(()),
            (2, Some(hash)) if *hash == self.hash_of_rest() => Ok(()),
            (2, _) => Err("it is not what was written: its hash is another one"),
            _ => Err("it is of another version"),
        }
    }

    pub(crate) fn identity(&self) -> Option<Identity> {
        let cluster_id = u128::from_str_radix(&self.cluster_id, 16).ok()?;
        Some(Identity { cluster_id, node: NodeId(self.node_id) })
    }
}

impl IdentityFile {
    /// The file at `path`, which need not exist.
    pub fn new(disk: Arc<dyn Disk>, path: PathBuf) -> Self {
        Self { disk, path }
    }

    /// Who this node is; `None` for a fresh one.
    ///
    /// # Errors
    /// If the disk fails or the file is damaged: a node that has forgotten who it is must not become somebody else. Blocks.
    pub fn load(&self) -> Result<Option<Identity>, IdentityError> {
        let stored = self.load_stored()?;
        stored.map(|stored| stored.identity().ok_or_else(|| self.malformed("its cluster has no number"))).transpose()
    }

    pub(crate) fn load_stored(&self) -> Result<Option<Stored>, IdentityError> {
        let bytes = match self.disk.map(&self.path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(self.io(source)),
        };
        let stored: Stored = serde_json::from_slice(&bytes).map_err(|error| self.malformed(&error.to_string()))?;
        stored.check().map_err(|what| self.malformed(what))?;
        Ok(Some(stored))
    }

    pub(crate) fn save(&self, stored: &Stored) -> Result<(), IdentityError> {
        let text = serde_json::to_vec_pretty(stored).map_err(|error| self.malformed(&error.to_string()))?;
        self.disk.write_atomic(&self.path, &[&text, b"\n"]).map_err(|source| self.io(source))
    }

    fn malformed(&self, what: &str) -> IdentityError {
        IdentityError::Malformed { path: self.path.display().to_string(), what: what.to_owned() }
    }

    fn io(&self, source: io::Error) -> IdentityError {
        IdentityError::Io { path: self.path.display().to_string(), source }
    }
}

#[cfg(test)]
mod tests {
    use stdx::RealDisk;

    use super::*;

    #[test]
    fn an_identity_is_kept_and_damage_is_no_fresh_start() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("identity.json");
        let file = IdentityFile::new(Arc::new(RealDisk), path.clone());
        assert_eq!(file.load().unwrap(), None);
        let identity = Identity { cluster_id: 7, node: NodeId(3) };
        file.save(&Stored::new(identity, None)).unwrap();
        assert_eq!(file.load().unwrap(), Some(identity));
        std::fs::write(&path, "{").unwrap();
        assert!(matches!(file.load(), Err(IdentityError::Malformed { .. })));
    }

    #[test]
    fn no_flipped_bit_makes_another_node_of_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("identity.json");
        let file = IdentityFile::new(Arc::new(RealDisk), path.clone());
        let member =
            |node_id| FoundingMember { node_id, address: format!("node-{node_id}:9095"), zone: "a".to_owned() };
        let members = (1..=3).map(member).collect();
        let founding = Founding { members, shards: 64, replication: 3, block_window_ms: 7_200_000, tell: false };
        file.save(&Stored::new(Identity { cluster_id: 0xabcd, node: NodeId(3) }, Some(founding))).unwrap();
        let (written, stored) = (std::fs::read(&path).unwrap(), file.load_stored().unwrap());
        for bit in 0..written.len() * 8 {
            let mut bytes = written.clone();
            bytes[bit / 8] ^= 1 << (bit % 8);
            std::fs::write(&path, bytes).unwrap();
            match file.load_stored() {
                Ok(read) => assert_eq!(read, stored, "bit {bit}"),
                Err(error) => assert!(matches!(error, IdentityError::Malformed { .. }), "bit {bit}: {error}"),
            }
        }
    }

    #[test]
    fn a_file_without_a_hash_is_of_version_1() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("identity.json");
        let file = IdentityFile::new(Arc::new(RealDisk), path.clone());
        let text =
            |version: u32| format!("{{\"version\": {version}, \"cluster_id\": \"0{:031x}\", \"node_id\": 3}}", 7);
        std::fs::write(&path, text(1)).unwrap();
        assert_eq!(file.load().unwrap(), Some(Identity { cluster_id: 7, node: NodeId(3) }));
        std::fs::write(&path, text(2)).unwrap();
        assert!(matches!(file.load(), Err(IdentityError::Malformed { .. })));
    }
}
