//! Relabelling: rules that change, keep or drop label sets, with the semantics of Prometheus.
//!
//! ```
//! use model::{Labels, LabelsBuilder, NameScheme};
//! use relabel::{Keep, Rule, RuleConfig};
//!
//! let rule = Rule::new(
//!     RuleConfig {
//!         source_labels: Some(vec!["__meta_pod_name".to_owned()]),
//!         regex: Some("(.+)-[0-9]+".to_owned()),
//!         target_label: "app".to_owned(),
//!         ..RuleConfig::default()
//!     },
//!     NameScheme::Utf8,
//! )?;
//! let mut labels = LabelsBuilder::from(Labels::from_pairs([("__meta_pod_name", "web-0")]));
//! assert_eq!(relabel::apply(&[rule], &mut labels), Keep::Yes);
//! assert_eq!(labels.get("app"), Some("web"));
//! # Ok::<(), relabel::Error>(())
//! ```
//!
//! Rules are checked and compiled once, then applied to many label sets. What does not match costs a few nanoseconds and no
//! allocation. Reading rules from YAML is the business of the configuration, not of this crate.

mod case;
mod config;
mod rule;

pub use config::{Action, Error, RuleConfig};
pub use rule::{Keep, Rule, Step, apply, steps};
