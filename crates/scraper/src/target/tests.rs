use model::NameScheme;
use relabel::{Action, Rule, RuleConfig};

use super::*;

fn labels(pairs: &[(&str, &str)]) -> Labels {
    Labels::from_pairs(pairs.iter().copied())
}

fn populate(job: &Job, own: &[(&str, &str)]) -> Result<Populated, TargetError> {
    Target::populate(&TenantId::default(), job, &Labels::empty(), &labels(own))
}

#[track_caller]
fn target(job: &Job, own: &[(&str, &str)]) -> Target {
    match populate(job, own) {
        Ok(Populated::Target(target)) => target,
        other => panic!("no target: {other:?}"),
    }
}

fn rule(action: Action, source: &str, regex: &str, target: &str, replacement: &str) -> Rule {
    let config = RuleConfig {
        source_labels: Some(vec![source.to_owned()]),
        regex: Some(regex.to_owned()),
        target_label: target.to_owned(),
        replacement: replacement.to_owned(),
        action: Some(action),
        ..RuleConfig::default()
    };
    Rule::new(config, NameScheme::Utf8).unwrap()
}

#[test]
fn the_job_fills_in_what_discovery_left_open() {
    let job = Job::new("node");
    let target = target(&job, &[(ADDRESS, "1.2.3.4:1000"), ("custom", "value"), ("__meta_x", "y")]);
    assert_eq!(target.labels.to_string(), r#"{custom="value", instance="1.2.3.4:1000", job="node"}"#);
    assert_eq!(target.url, "http://1.2.3.4:1000/metrics");
    assert_eq!((target.interval.as_secs(), target.timeout.as_secs()), (60, 10));
    assert_eq!(
        target.discovered.to_string(),
        r#"{__address__="1.2.3.4:1000", __always_scrape_classic_histograms__="false", "#.to_owned()
            + r#"__convert_classic_histograms_to_nhcb__="false", __meta_x="y", __metrics_path__="/metrics", "#
            + r#"__scheme__="http", __scrape_interval__="1m", __scrape_native_histograms__="false", "#
            + r#"__scrape_timeout__="10s", custom="value", job="node"}"#
    );
}

#[test]
fn labels_of_the_target_win_over_those_of_its_group_and_job() {
    let job = Job::new("node");
    let group = labels(&[("a", "group"), ("b", "group"), (JOB, "theirs")]);
    let own = labels(&[(ADDRESS, "x:1"), ("a", "own"), (INSTANCE, "i"), (SCHEME, "https"), (INTERVAL, "15s")]);
    let populated = Target::populate(&TenantId::default(), &job, &group, &own).unwrap();
    let Populated::Target(target) = populated else { panic!("it was dropped") };
    assert_eq!(target.labels.to_string(), r#"{a="own", b="group", instance="i", job="theirs"}"#);
    assert_eq!((target.url.as_str(), target.interval.as_secs()), ("https://x:1/metrics", 15));
}

#[test]
fn parameters_come_from_the_job_and_from_labels() {
    let mut job = Job::new("probe");
    job.metrics_path = "/probe".to_owned();
    job.params = BTreeMap::from([("m".to_owned(), vec!["a".to_owned(), "b".to_owned()]), ("n".to_owned(), vec![])]);
    job.relabel_rules = vec![
        rule(Action::Replace, ADDRESS, "(.*)", "__param_target", "$1"),
        rule(Action::Replace, ADDRESS, "(.*)", ADDRESS, "prober:9115"),
    ];
    let target = target(&job, &[(ADDRESS, "example.org"), ("__param_m", "c")]);
    assert_eq!(target.url, "http://prober:9115/probe?m=c&m=b&target=example.org");
    assert_eq!(target.labels.value(INSTANCE), "prober:9115");
}

#[test]
fn what_makes_no_sense_is_refused_in_the_known_words() {
    let job = Job::new("node");
    for (own, message) in [
        (&[][..], "no address"),
        (&[(ADDRESS, "http://x")], "\"http://x\" is not a valid hostname"),
        (&[(ADDRESS, "x"), (INTERVAL, "2x")], "error parsing scrape interval: unknown unit \"x\" in duration \"2x\""),
        (&[(ADDRESS, "x"), (INTERVAL, "0s")], "scrape interval cannot be 0"),
        (&[(ADDRESS, "x"), (TIMEOUT, "0s")], "scrape timeout cannot be 0"),
        (
            &[(ADDRESS, "x"), (INTERVAL, "1s"), (TIMEOUT, "2s")],
            "scrape timeout cannot be greater than scrape interval (\"2s\" > \"1s\")",
        ),
        (
            &[(ADDRESS, "x"), (NATIVE_HISTOGRAMS, "yes")],
            "error parsing scrape native histograms: strconv.ParseBool: parsing \"yes\": invalid syntax",
        ),
    ] {
        let error = populate(&job, own).unwrap_err();
        let words = match &error {
            TargetError::Duration(..) if !message.contains("2x") => panic!("{error}"),
            other => other.to_string(),
        };
        assert_eq!(words, message);
    }
}

#[test]
fn dropped_targets_show_what_was_discovered() {
    let mut job = Job::new("node");
    job.relabel_rules = vec![rule(Action::Drop, "x", "y", "", "$1")];
    let Ok(Populated::Dropped(labels)) = populate(&job, &[(ADDRESS, "a"), ("x", "y")]) else { panic!("it was kept") };
    assert_eq!((labels.value("x"), labels.value(SCHEME)), ("y", "http"));
}

#[test]
fn names_of_targets_never_change_and_do_not_depend_on_how_often_they_are_scraped() {
    let job = Job::new("node");
    let first = target(&job, &[(ADDRESS, "x:1")]);
    assert_eq!(first.id, target(&job, &[(ADDRESS, "x:1"), (INTERVAL, "11s"), ("__tmp", "z")]).id);
    assert_eq!(first.id.to_string(), "1400236da1a48e73312685bd3cc4fffc");
    for other in [
        target(&job, &[(ADDRESS, "x:1"), ("a", "b")]),
        target(&job, &[(ADDRESS, "x:1"), (METRICS_PATH, "/metrics/cadvisor")]),
        target(&Job::new("other"), &[(ADDRESS, "x:1"), (JOB, "node")]),
    ] {
        assert_ne!(first.id, other.id);
    }
}
