//! Asks our engine and the engine of the real Prometheus the same questions about the same series, and compares the answers.
//!
//! A [`Case`] is series, a query and how it is asked. Cases are made at random from a seed (by [`Campaign`]), [`Pair`] asks
//! both engines, and [`shrink`] makes a case on which they differ as small as it can, so that a reader sees the reason.

mod answer;
mod campaign;
mod case;
mod compare;
mod corpus;
mod data;
mod dice;
mod known;
mod notation;
mod oracle;
mod ours;
mod pair;
mod query;
mod report;
mod shrink;
mod survey;

pub use answer::Outcome;
pub use campaign::{Campaign, Tally};
pub use case::{Case, Mode};
pub use compare::{Difference, Kind, compare};
pub use corpus::{satisfying, selectors};
pub use data::{Data, SeriesText};
pub use dice::Dice;
pub use oracle::{Oracle, OracleError};
pub use ours::Ours;
pub use pair::Pair;
pub use query::random_query;
pub use report::report;
pub use shrink::shrink;
pub use survey::{demo, expand, exposed, survey, survey_satisfied, survey_scripts};
