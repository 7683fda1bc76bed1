//! The files that users write: Prometheus' configuration, read as Prometheus reads it.
//!
//! Reading is strict, fills in every default, and finds all mistakes at once, each with its line and its path. What comes out
//! is complete and right; other crates take their part of it: [`http::HttpSettings::client`],
//! [`discovery::Discovery::mechanisms`], [`relabel::compile`]. Everything that Prometheus knows is read, checked and printed;
//! what Ringwood does not act on yet is named in [`Loaded::notices`].
//!
//! ```
//! use std::path::Path;
//!
//! use config::{Mode, RealFiles};
//!
//! let text = "scrape_configs: [{job_name: node, static_configs: [{targets: ['localhost:9100']}]}]";
//! let loaded = config::parse(text, Path::new("/etc/prometheus.yml"), Mode::Server, &RealFiles)?;
//! assert_eq!(loaded.scrape_configs[0].scrape_interval.as_secs(), 60);
//!
//! let wrong = "scrape_configs: [{job_name: node, scheme: [], metrics_paht: /x}]";
//! let errors = config::parse(wrong, Path::new("/etc/prometheus.yml"), Mode::Server, &RealFiles).unwrap_err();
//! let paths: Vec<_> = errors.mistakes().map(|(_, mistake)| mistake.path.as_str()).collect();
//! assert_eq!(paths, ["scrape_configs[0].scheme", "scrape_configs[0].metrics_paht"]);
//! # Ok::<(), config::Errors>(())
//! ```

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
mod protocol;
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
