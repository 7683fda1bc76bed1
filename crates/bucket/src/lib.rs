//! Blocks in object storage.
