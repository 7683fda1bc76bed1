//! The API, asked as clients ask it.

mod documents;
mod federation;
mod labels;
mod protocol;
mod queries;
mod server;
mod status;
mod targets;
