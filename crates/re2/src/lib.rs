//! Regular expressions as Go's `regexp` package reads them, which is how Prometheus' users write them.
//!
//! ```
//! use re2::{Regex, Template};
//!
//! let matcher = Regex::anchored("node_(cpu|memory)_.*")?;
//! assert!(matcher.is_match("node_cpu_seconds_total") && !matcher.is_match("my_node_cpu_"));
//! assert_eq!(matcher.prefix(), "node_");
//!
//! let regex = Regex::wrapped("([^:]+)(?::[0-9]+)?")?;
//! let template = Template::new("${1}:9100", &regex);
//! assert_eq!(regex.replace_all("10.0.0.1:80", &template), "10.0.0.1:9100");
//! # Ok::<(), re2::Error>(())
//! ```
//!
//! The syntax is parsed here, with Go's rules and error texts; matching is done by `regex-automata`, in time linear in the
//! text. Most matchers of queries and rules never get that far: [`Regex`] sees which expressions are only lists of texts, or
//! texts with gaps between them, and answers those by comparing strings.

mod error;
mod regex;
mod shape;
mod syntax;
mod template;

pub use error::{Error, ErrorKind};
pub use regex::{Captures, Regex};
pub use template::Template;
