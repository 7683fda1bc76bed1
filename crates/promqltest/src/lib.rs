//! Runs PromQL test scripts: the language in which Prometheus' own acceptance tests are written.
//!
//! ```text
//! load 1m
//!     up{job="api"} 1 1 0
//!
//! eval instant at 2m sum(up)
//!     {} 0
//! ```
//!
//! A [`Script`] is read from a text and [run](Script::run) against a [`Backend`]: [`MemoryBackend`] evaluates in this
//! process; [`Compared`] asks a server over HTTP, and whether it says the same.

mod annotations;
mod backend;
mod compare;
mod http;
mod memory;
mod native;
mod rewrite;
mod run;
mod script;

pub use backend::{Answer, Backend, LoadedSeries};
pub use http::{Compared, HttpServer};
pub use memory::{MemoryBackend, MemoryStorage, settings};
pub use run::{Failure, Report};
pub use script::{Script, ScriptError};
