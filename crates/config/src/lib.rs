//! The files that users write.

pub mod alerting;
pub mod azure_ad;
mod config;
pub mod discovery;
mod environment;
mod errors;
mod files;
pub mod global;
pub mod http;
mod load;
mod notice;
pub mod otlp;
pub mod protocol;
pub mod relabel;
pub mod remote_read;
pub mod remote_write;
pub mod runtime;
pub mod scrape;
pub mod sigv4;
pub mod storage;
pub mod tracing;
pub mod url;
pub mod values;
pub mod web;

pub use config::Config;
pub use errors::{Error, Errors, Problem};
pub use files::RealFiles;
pub use load::{Files, Loaded, Mode, load, load_http, load_web, parse};
pub use notice::Notice;
