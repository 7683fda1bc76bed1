//! YAML as Prometheus reads and writes it.
//!
//! Prometheus reads its files with Go's `yaml.v2`, strictly: an unknown or repeated key is a mistake, `yes` is true, `010`
//! is eight, and a value that is null is not the default but empty. Users' files rely on this, so it is what this crate
//! does, on top of a parser that knows YAML itself. It goes further in one thing: [`Reader`] collects *every* mistake with
//! its line and its path, where Go often stops at the first.
//!
//! ```
//! use std::time::Duration;
//!
//! yaml::record! {
//!     /// When to look again.
//!     pub struct Schedule: "example.Schedule" {
//!         /// How long to wait between two looks.
//!         pub interval: Duration = Duration::from_secs(60),
//!         /// What to look at.
//!         pub names: Vec<String>,
//!     }
//! }
//!
//! let schedule: Schedule = yaml::from_text("names: [a, b]")?;
//! assert_eq!(schedule.interval, Duration::from_secs(60));
//! assert_eq!(yaml::to_text(&schedule), "interval: 1m\nnames:\n- a\n- b\n");
//!
//! let mistakes = yaml::from_text::<Schedule>("intervall: 5s\nnames: {}").unwrap_err();
//! assert_eq!(mistakes.to_string(), "yaml: unmarshal errors:\n  line 1: field intervall not found in type \
//!     example.Schedule\n  line 2: cannot unmarshal !!map into []string");
//! # Ok::<(), yaml::Mistakes>(())
//! ```

mod collections;
mod compose;
mod mistake;
mod node;
mod output;
mod reader;
mod record;
mod scalar;
mod text;
mod value;
mod writer;

pub use compose::{SyntaxError, parse};
pub use mistake::{Mistake, MistakeKind, Mistakes};
pub use node::{Content, Node};
pub use output::Output;
pub use reader::{At, Reader, from_text};
pub use record::{Fields, Record, plain_name, read_record};
pub use text::Text;
pub use value::Value;
pub use writer::to_text;
