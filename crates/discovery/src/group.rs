//! Groups of targets, and the lists of them that users and servers write.

use std::collections::BTreeMap;

use model::{Labels, LabelsBuilder, quote};
use serde::Deserialize;
use yaml::Mistakes;

/// The targets that one source reports together.
///
/// A source is known by its name, so that a later group of that name takes the place of this one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TargetGroup {
    /// Where the group comes from, unique within its mechanism.
    pub source: String,
    /// The targets: their own labels, always with `__address__`.
    pub targets: Vec<Labels>,
    /// The labels of those targets that do not have them themselves.
    pub labels: Labels,
}

/// The label that holds a target's host and port.
const ADDRESS: &str = "__address__";

impl TargetGroup {
    /// A group of hosts with ports.
    pub fn new<'a>(source: impl Into<String>, addresses: impl IntoIterator<Item = &'a str>, labels: Labels) -> Self {
        let targets = addresses.into_iter().map(|address| Labels::from_pairs([(ADDRESS, address)])).collect();
        Self { source: source.into(), targets, labels }
    }

    /// The group without targets that removes the one of this name.
    pub fn gone(source: impl Into<String>) -> Self {
        Self { source: source.into(), targets: Vec::new(), labels: Labels::empty() }
    }

    /// Adds a label that all targets share, whatever it was before.
    pub(crate) fn set_label(&mut self, name: &str, value: &str) {
        let pairs = self.labels.iter().chain([(name, value)]);
        self.labels = Labels::from_pairs(pairs);
    }

    /// The labels of each target, with those of the group.
    pub fn label_sets(&self) -> impl Iterator<Item = LabelsBuilder> {
        self.targets.iter().map(|target| {
            let mut labels = LabelsBuilder::from(self.labels.clone());
            for (name, value) in target.iter() {
                labels.set(name, value);
            }
            labels
        })
    }
}

/// Why a list of groups cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum GroupError {
    /// It is not JSON, or JSON of another shape.
    #[error("{0}")]
    Json(String),
    /// It is not YAML, or YAML of another shape.
    #[error(transparent)]
    Yaml(#[from] Mistakes),
    /// The group with this index is null.
    #[error("nil target group item found (index {0})")]
    Null(usize),
    /// A label has a name that no label can have.
    #[error("{} is not a valid label name", quote(.0))]
    LabelName(String),
}

/// Reads groups from JSON: a list of objects with `targets` and `labels`. Sources are `<name>:<index>`.
///
/// # Errors
/// If anything in it is wrong: then nothing in it counts, since half a list would look like targets that are gone.
pub fn groups_from_json(name: &str, text: &[u8]) -> Result<Vec<TargetGroup>, GroupError> {
    let groups: Vec<Option<WrittenJson>> =
        serde_json::from_slice(text).map_err(|error| GroupError::Json(error.to_string()))?;
    let written = groups.into_iter().map(|group| {
        let group = group?;
        Some((group.targets.unwrap_or_default(), group.labels.unwrap_or_default()))
    });
    to_groups(name, written)
}

/// Reads groups from YAML: a list of mappings with `targets` and `labels`. Sources are `<name>:<index>`.
///
/// # Errors
/// If anything in it is wrong, as for JSON.
pub fn groups_from_yaml(name: &str, text: &str) -> Result<Vec<TargetGroup>, GroupError> {
    let groups: Vec<Option<WrittenYaml>> = yaml::from_text(text)?;
    to_groups(name, groups.into_iter().map(|group| group.map(|group| (group.targets, group.labels))))
}

/// A group as JSON has it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenJson {
    targets: Option<Vec<String>>,
    labels: Option<BTreeMap<String, String>>,
}

yaml::record! {
    /// A group as YAML has it.
    struct WrittenYaml: "targetgroup.Group" {
        targets: Vec<String>,
        labels: BTreeMap<String, String>,
    }
}

type Written = (Vec<String>, BTreeMap<String, String>);

fn to_groups(name: &str, written: impl Iterator<Item = Option<Written>>) -> Result<Vec<TargetGroup>, GroupError> {
    let mut groups = Vec::new();
    for (index, group) in written.enumerate() {
        let (targets, labels) = group.ok_or(GroupError::Null(index))?;
        if labels.contains_key("") {
            return Err(GroupError::LabelName(String::new()));
        }
        let labels = Labels::from_pairs(labels.iter().map(|(name, value)| (name.as_str(), value.as_str())));
        let targets = targets.iter().map(String::as_str);
        groups.push(TargetGroup::new(format!("{name}:{index}"), targets, labels));
    }
    Ok(groups)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn show(groups: &[TargetGroup]) -> Vec<String> {
        let one = |group: &TargetGroup| {
            let targets: Vec<_> = group.targets.iter().map(|target| target.value(ADDRESS)).collect();
            format!("{} {} {}", group.source, targets.join(","), group.labels)
        };
        groups.iter().map(one).collect()
    }

    #[test]
    fn groups_are_read() {
        let expected = ["f:0 a:1,b {x=\"1\"}", "f:1  {}"];
        let yaml = "- targets: [a:1, b]\n  labels: {x: 1}\n- {}";
        assert_eq!(show(&groups_from_yaml("f", yaml).unwrap()), expected);
        let json = br#"[{"targets":["a:1","b"],"labels":{"x":"1"}},{"targets":null}]"#;
        assert_eq!(show(&groups_from_json("f", json).unwrap()), expected);
        assert!(groups_from_yaml("f", "").unwrap().is_empty());
    }

    #[test]
    fn one_mistake_refuses_the_list() {
        let yaml = |text| groups_from_yaml("f", text).unwrap_err().to_string();
        assert_eq!(yaml("- targets: [a]\n-"), "nil target group item found (index 1)");
        assert_eq!(yaml("- labels: {'': a}"), "\"\" is not a valid label name");
        assert!(yaml("- target: [a]").contains("line 1: field target not found in type targetgroup.Group"));
        let json = |text: &str| groups_from_json("f", text.as_bytes()).unwrap_err().to_string();
        assert_eq!(json("[{},null]"), "nil target group item found (index 1)");
        assert!(json(r#"[{"target":["a"]}]"#).contains("unknown field `target`"));
        assert!(json(r#"[{"labels":{"a":1}}]"#).contains("expected a string"));
        assert!(json("").contains("EOF"));
    }

    #[test]
    fn labels_of_a_group_are_those_of_its_targets() {
        let mut group = TargetGroup::new("s", ["a:1"], Labels::from_pairs([("x", "1"), ("__address__", "no")]));
        group.set_label("y", "2");
        let sets: Vec<_> = group.label_sets().map(|labels| labels.build().to_string()).collect();
        assert_eq!(sets, ["{__address__=\"a:1\", x=\"1\", y=\"2\"}"]);
    }

    proptest! {
        #[test]
        fn arbitrary_texts_never_panic(text in ".*", bytes in prop::collection::vec(any::<u8>(), 0..100)) {
            let _ = groups_from_yaml("f", &text);
            let _ = groups_from_json("f", &bytes);
        }
    }
}
