//! A real Prometheus and the real binary beside each other: both scrape the same pages, both are asked the same, and the
//! answers are compared, with their codes and headers.
//!
//! A [`Pair`] is both servers and what they scrape. [`sweep()`] asks them a list of requests ([`cases`]), [`wander`] requests
//! made of those by chance, and [`ask_corpus`] the queries of dashboards and rules. Differences that are meant are named in
//! `known.rs`, each with its reason.

pub mod cases;
mod compare;
mod corpus;
mod exposer;
mod http;
mod known;
mod pages;
mod pair;
mod random;
mod recorded;
mod request;
mod sweep;
mod values;

pub use corpus::{CorpusTally, ask_corpus};
pub use http::Answer;
pub use pair::{Pair, PairError, Programs, start_corpus, start_sweep};
pub use random::wander;
pub use request::Request;
pub use sweep::{Tally, sweep};
