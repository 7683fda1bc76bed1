//! The API, asked as clients ask it.

mod labels;
mod queries;
mod server;
