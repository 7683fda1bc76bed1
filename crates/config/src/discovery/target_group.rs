//! Targets that are written down.

use std::collections::BTreeMap;

use yaml::record;

use crate::values::LabelName;

record! {
    /// Targets and the labels they share.
    pub struct StaticGroup: "*targetgroup.Group" {
        /// Hosts, usually with ports.
        pub targets: Vec<String> => always,
        /// Their labels.
        pub labels: BTreeMap<LabelName, String>,
    }
}
