//! The relabelling cases of `shared/conformance`.

use model::{Labels, LabelsBuilder, NameScheme};
use relabel::{Keep, Rule, RuleConfig};
use serde_json::Value;

#[test]
fn rules_do_what_prometheus_does() {
    let Some(text) = testkit::read_shared("conformance/relabel/relabel.json") else { return };
    testkit::check_cases("relabel.json", &read(&text), |case| {
        let rules = case["relabel_configs"].as_array().ok_or("no rules")?;
        let rules: Result<Vec<_>, _> = rules.iter().map(|rule| Rule::new(config(rule), NameScheme::Utf8)).collect();
        let mut builder = LabelsBuilder::from(labels(&case["input"]));
        let keep = relabel::apply(&rules.map_err(|error| format!("{case}: {error}"))?, &mut builder);
        let found = (keep == Keep::Yes).then(|| builder.build());
        let expected = (case["dropped"] != true).then(|| labels(&case["output"]));
        if found == expected { Ok(()) } else { Err(format!("{case}: got {found:?}")) }
    });
}

#[test]
fn legacy_templates_are_checked() {
    let Some(text) = testkit::read_shared("conformance/relabel/target_label_legacy.json") else { return };
    testkit::check_cases("target_label_legacy.json", &read(&text), |case| {
        let valid = Rule::new(config(case), NameScheme::Legacy).is_ok();
        if case["valid"] == valid { Ok(()) } else { Err(format!("{case}: got {valid}")) }
    });
}

fn read(text: &str) -> Vec<Value> {
    serde_json::from_str(text).expect("cases are JSON")
}

fn config(rule: &Value) -> RuleConfig {
    let text = |key: &str| rule[key].as_str().map(str::to_owned);
    let default = RuleConfig::default();
    let sources = rule["source_labels"].as_array();
    RuleConfig {
        source_labels: sources.map(|names| names.iter().filter_map(Value::as_str).map(str::to_owned).collect()),
        separator: text("separator").unwrap_or(default.separator),
        regex: text("regex"),
        modulus: rule["modulus"].as_u64().unwrap_or(default.modulus),
        target_label: text("target_label").unwrap_or(default.target_label),
        replacement: text("replacement").unwrap_or(default.replacement),
        action: text("action").map_or(default.action, |action| action.parse().ok()),
    }
}

fn labels(value: &Value) -> Labels {
    let pairs = value.as_object().into_iter().flatten();
    pairs.map(|(name, value)| (name.as_str(), value.as_str().unwrap_or_default())).collect()
}
