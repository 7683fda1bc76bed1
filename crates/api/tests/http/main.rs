//! The API, asked as clients ask it.

#![expect(clippy::unwrap_used, reason = "a test stops where something fails")]

mod documents;
mod federation;
mod labels;
mod protocol;
mod queries;
mod query_log;
mod remote_read;
mod scripts;
mod search;
mod server;
mod status;
mod targets;
