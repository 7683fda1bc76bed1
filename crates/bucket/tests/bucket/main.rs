//! Buckets of all kinds, and blocks in them.

mod ranges;
mod s3;
mod stores;
mod upload;
