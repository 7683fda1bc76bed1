//! Buckets of all kinds, and blocks in them.

#![expect(clippy::unwrap_used, reason = "a test stops where something fails")]

mod check;
mod ranges;
mod s3;
mod stores;
mod upload;
