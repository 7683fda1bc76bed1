//! What rules cost per series.

use divan::{Bencher, black_box};
use model::{Labels, LabelsBuilder, NameScheme};
use relabel::{Action, Rule, RuleConfig};

fn main() {
    divan::main();
}

const RULES: [(&str, Action, &str, &str, &str, &str); 6] = [
    ("drop, no match", Action::Drop, "__name__", "container_(network|blkio)_.*", "", "$1"),
    ("drop of two, no match", Action::Drop, "__name__,mode", "node_cpu_seconds_total;(idle|iowait)", "", "$1"),
    ("replace, no match", Action::Replace, "device", "eth([0-9]+)", "nic", "$1"),
    ("replace, match", Action::Replace, "mode", "(.*)", "state", "$1"),
    ("labeldrop, no match", Action::LabelDrop, "", "(pod_)?uid", "", "$1"),
    ("labelmap, no match", Action::LabelMap, "", "__meta_(.+)", "", "$1"),
];

#[divan::bench(args = RULES.iter().map(|rule| rule.0))]
fn apply(bencher: Bencher, name: &str) {
    let rule = RULES.iter().find(|rule| rule.0 == name).expect("names are those of the rules");
    let (_, action, sources, regex, target, replacement) = *rule;
    let config = RuleConfig {
        source_labels: (!sources.is_empty()).then(|| sources.split(',').map(str::to_owned).collect()),
        regex: Some(regex.to_owned()),
        target_label: target.to_owned(),
        replacement: replacement.to_owned(),
        action: Some(action),
        ..RuleConfig::default()
    };
    let rules = [Rule::new(config, NameScheme::Utf8).expect("the rules are fine")];
    let labels = Labels::from_pairs([
        ("__name__", "node_cpu_seconds_total"),
        ("cpu", "12"),
        ("instance", "10.0.12.7:9100"),
        ("job", "node"),
        ("mode", "user"),
    ]);
    bencher.bench_local(|| {
        let mut builder = LabelsBuilder::from(black_box(&labels));
        let keep = relabel::apply(&rules, &mut builder);
        (keep, builder.build())
    });
}
