//! What users are told: every mistake at once with its place, and what is not acted on.

#![expect(clippy::unwrap_used, reason = "a test stops where something fails")]

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use config::{Files, Loaded, Mode};
use proptest::prelude::*;

/// Files and variables in memory. A pattern names all files that begin with what stands before its star.
#[derive(Default)]
struct Memory {
    files: BTreeMap<PathBuf, String>,
    variables: BTreeMap<&'static str, &'static str>,
}

impl Files for Memory {
    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        self.files.get(path).map(|text| text.clone().into_bytes()).ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn matching(&self, pattern: &Path) -> io::Result<Vec<PathBuf>> {
        let start = pattern.to_string_lossy().split('*').next().unwrap().to_owned();
        Ok(self.files.keys().filter(|path| path.to_string_lossy().starts_with(&start)).cloned().collect())
    }

    fn variable(&self, name: &str) -> Option<String> {
        self.variables.get(name).map(|value| (*value).to_owned())
    }
}

const MAIN: &str = "/etc/main.yml";

fn parse(text: &str) -> Result<Loaded, config::Errors> {
    config::parse(text, Path::new(MAIN), Mode::Server, &Memory::default())
}

/// Each mistake: its line, its path and what it says.
fn mistakes(text: &str) -> Vec<String> {
    let errors = parse(text).unwrap_err();
    let shown = errors.mistakes().map(|(file, mistake)| {
        assert_eq!(file, Path::new(MAIN));
        format!("{} {}: {}", mistake.line, mistake.path, mistake.message)
    });
    shown.collect()
}

#[test]
fn every_mistake_is_told_with_its_place() {
    let text = "
global:
  scrape_intervall: 5s
  evaluation_interval: never
scrape_configs:
- job_name: a
  job_name: b
- job_name: c
  scrape_interval: 5s
  scrape_timeout: 6s
- job_name: d
  relabel_configs:
  - action: replce
  - action: hashmod
    target_label: x
- job_name: c
";
    assert_eq!(
        mistakes(text),
        [
            "3 global.scrape_intervall: field scrape_intervall not found in type config.plain",
            "4 global.evaluation_interval: not a valid duration string: \"never\"",
            "7 scrape_configs[0].job_name: field job_name already set in type config.ScrapeConfig",
            "10 scrape_configs[1].scrape_timeout: scrape timeout greater than scrape interval for scrape config with \
             job name \"c\"",
            "13 scrape_configs[2].relabel_configs[0].action: unknown relabel action \"replce\"",
            "16 scrape_configs[3].job_name: found multiple scrape configs with job name \"c\"",
        ]
    );
}

#[test]
fn bytes_are_no_labels() {
    for (text, mistake) in [
        (
            "global: {external_labels: {!!binary /w==: a}}",
            "global.external_labels: \"\\xff\" is not a valid label name",
        ),
        (
            "global: {external_labels: {a: !!binary /w==}}",
            "global.external_labels.a: \"\\xff\" is not a valid label value",
        ),
    ] {
        assert_eq!(mistakes(text), [format!("1 {mistake}")]);
    }
}

#[test]
fn one_mistake_is_told_as_prometheus_does() {
    let message = |text: &str| parse(text).unwrap_err().to_string();
    assert_eq!(
        message("globl: {}"),
        "parsing YAML file /etc/main.yml: yaml: unmarshal errors:\n  line 1: field globl not found in type config.plain"
    );
    assert_eq!(message("scrape_configs: [{job_name: ''}]"), "parsing YAML file /etc/main.yml: job_name is empty");
    assert!(message("a: b: c").starts_with("parsing YAML file /etc/main.yml: yaml: line 1: "));
}

#[test]
fn all_of_an_agents_restrictions_are_told() {
    let text = "rule_files: [a.yml]\nalerting: {alertmanagers: [{}]}";
    let errors = config::parse(text, Path::new(MAIN), Mode::Agent, &Memory::default()).unwrap_err();
    assert_eq!(
        errors.to_string(),
        "field alerting is not allowed in agent mode\nfield rule_files is not allowed in agent mode"
    );
}

#[test]
fn notices_name_what_is_not_acted_on_once() {
    let text = "
global: {evaluation_interval: 1m, external_labels: {a: $NOTHING}}
rule_files: [rules.yml]
scrape_configs:
- job_name: a
  file_sd_configs: [{files: [a.yml]}]
  dns_sd_configs: [{names: [a]}]
- job_name: b
  dns_sd_configs: [{names: [b]}]
  http_sd_configs:
  - {url: 'http://a', basic_auth: {username: u, password_ref: p}}
";
    let notices = parse(text).unwrap().notices;
    let shown: Vec<_> = notices.iter().map(ToString::to_string).collect();
    let inactive = "is valid, but Ringwood does not act on it yet";
    assert_eq!(
        shown,
        [
            format!("{MAIN}:2: global.evaluation_interval: {inactive}"),
            format!("{MAIN}:3: rule_files: {inactive}"),
            format!("{MAIN}:7: scrape_configs[0].dns_sd_configs: {inactive}"),
            format!("{MAIN}:11: scrape_configs[1].http_sd_configs[0].basic_auth.password_ref: {inactive}"),
            format!("{MAIN}:2: global.external_labels: the environment has no variable NOTHING"),
        ]
    );
}

#[test]
fn included_files_are_read_and_their_mistakes_told() {
    let files = |texts: &[(&str, &str)]| Memory {
        files: texts.iter().map(|(path, text)| (PathBuf::from(path), (*text).to_owned())).collect(),
        ..Memory::default()
    };
    let main = "global: {scrape_interval: 7s}\nscrape_config_files: [more/*.yml]\nscrape_configs: [{job_name: a}]";
    let load = |texts: &[(&str, &str)]| config::parse(main, Path::new(MAIN), Mode::Server, &files(texts));

    let loaded = load(&[("/etc/more/b.yml", "scrape_configs: [{job_name: b}]")]).unwrap();
    let jobs: Vec<_> = loaded.scrape_configs.iter().map(|config| config.job_name.as_str()).collect();
    assert_eq!(jobs, ["a", "b"]);
    assert_eq!(loaded.scrape_configs[1].scrape_interval.as_secs(), 7);

    let errors = load(&[("/etc/more/b.yml", "scrape_configs: [{job_name: a}]"), ("/etc/more/c.yml", "x: 1")]);
    assert_eq!(
        errors.unwrap_err().to_string(),
        "\"/etc/more/b.yml\": found multiple scrape configs with job name \"a\", first found in main config file\n\
         parsing YAML file /etc/more/c.yml: yaml: unmarshal errors:\n  line 1: field x not found in type config.ScrapeConfigs"
    );
}

#[test]
fn variables_are_filled_in() {
    let memory = Memory { variables: [("ZONE", "b")].into_iter().collect(), ..Memory::default() };
    let text = "global: {external_labels: {zone: 'a-${ZONE}', price: 5$$}}";
    let loaded = config::parse(text, Path::new(MAIN), Mode::Server, &memory).unwrap();
    assert_eq!(loaded.config.global.external_labels().to_string(), "{price=\"5$\", zone=\"a-b\"}");
}

#[test]
fn secrets_are_not_shown() {
    let text = "scrape_configs: [{job_name: a, basic_auth: {username: u, password: hush}, http_headers: {X: {secrets: [hush]}}}]";
    let loaded = parse(text).unwrap();
    let printed = loaded.config.to_yaml();
    assert!(printed.contains("password: <secret>") && !printed.contains("hush"), "{printed}");
    assert!(!format!("{loaded:?}").contains("hush"));
}

#[test]
fn web_configurations_are_checked() {
    let web = |text: &str| {
        let files = [(PathBuf::from(MAIN), text.to_owned())].into_iter().collect();
        config::load_web(Path::new(MAIN), &Memory { files, ..Memory::default() }).map_err(|errors| errors.to_string())
    };
    assert!(!web("").unwrap().tls.is_on());
    for (text, message) in [
        ("tls_server_config: {cert_file: a}", "missing one of key or key_file"),
        ("tls_server_config: {client_auth_type: x}", "Invalid ClientAuth: x"),
        (
            "http_server_config: {headers: {X-Frame-Options: a}}",
            "Expected one of: [\"deny\" \"sameorigin\"], but got: \"a\"",
        ),
        ("http_server_config: {headers: {Server: a}}", "HTTP header \"Server\" can not be configured"),
        ("basic_auth_users: {a: secret}", "the password of \"a\" is not hashed with bcrypt"),
        ("tls: {}", "field tls not found in type web.Config"),
    ] {
        let error = web(text).unwrap_err();
        assert!(error.contains(message), "{error}");
    }
}

proptest! {
    #[test]
    fn arbitrary_texts_never_panic(text in ".{0,200}", key in "(global|scrape_configs|storage|otlp|alerting): ") {
        let _ = parse(&text);
        let _ = parse(&format!("{key}{text}"));
    }
}
