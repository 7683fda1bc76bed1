//! Finds targets: fixed ones, in files, at URLs; as a stream of target groups.
//!
//! A [`Discoverer`] serves one scrape pool. It runs the pool's mechanisms, each of which sends the groups that changed, and
//! gives the pool all groups together, not more often than is good for it.
//!
//! Another mechanism is a type that implements [`Mechanism`] and a variant of [`MechanismConfig`] that makes it.

mod config;
mod discoverer;
mod file;
mod glob;
mod group;
mod http;
mod metrics;
mod updates;

pub use config::{FileConfig, HttpConfig, MechanismConfig};
pub use discoverer::{Context, Discovered, Discoverer, Groups, Mechanism};
pub use glob::matching_files;
pub use group::{GroupError, TargetGroup, groups_from_json, groups_from_yaml};
pub use metrics::Metrics;
pub use updates::Updates;
