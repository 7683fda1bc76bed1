//! Prometheus' own configuration files: each loads, or fails with the words that Prometheus has for it.

#![expect(clippy::unwrap_used, reason = "a test stops where something fails")]

use std::path::Path;

use config::discovery::StaticGroup;
use config::{Errors, Loaded, Mode, RealFiles};
use serde_json::Value;

const FOLDER: &str = "conformance/prometheus_config";

/// The files that have an expectation, with it.
fn cases() -> Vec<(std::path::PathBuf, Value)> {
    let Some(expected) = testkit::read_shared(&format!("{FOLDER}/expected.json")) else { return Vec::new() };
    let expected: serde_json::Map<String, Value> = serde_json::from_str(&expected).unwrap();
    let files = testkit::shared_files(FOLDER, "");
    let named = files.into_iter().filter_map(|path| {
        let expected = expected.get(path.file_name()?.to_str()?)?.clone();
        Some((path, expected))
    });
    named.collect()
}

fn mode(expected: &Value) -> Mode {
    if expected["agent"] == true { Mode::Agent } else { Mode::Server }
}

fn load(path: &Path, mode: Mode) -> Result<Loaded, String> {
    config::load(path, mode, &RealFiles).map_err(|errors: Errors| errors.to_string())
}

/// What becomes of a file of the kind that the case says.
fn outcome(path: &Path, expected: &Value) -> Result<(), String> {
    match expected["kind"].as_str() {
        None => load(path, mode(expected)).map(drop),
        Some("target_group") => {
            let text = std::fs::read_to_string(path).unwrap();
            yaml::from_text::<StaticGroup>(&text).map(drop).map_err(|mistakes| mistakes.to_string())
        }
        Some("scrape_config_file") => {
            let text = format!("scrape_config_files: ['{}']", path.display());
            let loaded = config::parse(&text, Path::new("main.yml"), Mode::Server, &RealFiles);
            loaded.map(drop).map_err(|errors| errors.to_string())
        }
        Some(other) => panic!("{}: unknown kind {other}", path.display()),
    }
}

#[test]
fn files_load_or_fail_as_in_prometheus() {
    testkit::check_cases("prometheus_config", &cases(), |(path, expected)| {
        let wanted: Vec<_> =
            expected["contains"].as_array().into_iter().flatten().map(|it| it.as_str().unwrap()).collect();
        match (outcome(path, expected), expected["result"].as_str().unwrap()) {
            (Ok(()), "ok") => Ok(()),
            (Err(message), "error") if wanted.iter().all(|part| message.contains(part)) => Ok(()),
            (outcome, _) => Err(format!("{}: {outcome:?}, wanted {expected}", path.display())),
        }
    });
}

#[test]
fn what_is_printed_loads_again() {
    let mut cases = cases();
    cases.retain(|(_, expected)| expected["result"] == "ok" && expected["kind"].is_null());
    testkit::check_cases("prometheus_config printed", &cases, |(path, expected)| {
        let loaded = load(path, mode(expected))?;
        let printed = loaded.config.to_yaml();
        let again = config::parse(&printed, path, mode(expected), &RealFiles);
        let again = again.map_err(|errors| format!("{}: {errors}\n{printed}", path.display()))?;
        let reprinted = again.config.to_yaml();
        if printed == reprinted { Ok(()) } else { Err(format!("{}: {printed}\n{reprinted}", path.display())) }
    });
}

#[test]
fn truncated_files_never_panic() {
    let Some(text) = testkit::read_shared(&format!("{FOLDER}/conf.good.yml")) else { return };
    for end in (0..text.len()).step_by(13).filter(|end| text.is_char_boundary(*end)) {
        let _ = config::parse(&text[..end], Path::new("conf.yml"), Mode::Server, &RealFiles);
    }
}

#[test]
fn examples_load() {
    let mut files = testkit::shared_files("conformance/example_configs", ".yml");
    files.retain(|path| path.file_name().unwrap().to_str().unwrap().starts_with("prometheus"));
    testkit::check_cases("example_configs", &files, |path| {
        let is_agent = path.ends_with("prometheus-agent.yml");
        load(path, if is_agent { Mode::Agent } else { Mode::Server }).map(drop)
    });
}

#[test]
fn other_files_load() {
    let example = |name: &str| {
        let files = testkit::shared_files("conformance/example_configs", name);
        files.into_iter().next()
    };
    let (Some(web), Some(http)) = (example("web-config.yml"), example("promtool-http-config-file.yml")) else { return };
    let folder = web.parent().unwrap();
    let web = config::load_web(&web, &RealFiles).unwrap();
    assert_eq!(web.tls.cert_file.to_path(), Some(folder.join("server.crt")));
    assert_eq!(web.users.keys().collect::<Vec<_>>(), ["alice", "bob"]);
    let http = config::load_http(&http, &RealFiles).unwrap();
    assert_eq!(http.basic_auth.unwrap().username, "alice");
}
