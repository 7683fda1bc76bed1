//! From files to a configuration.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use model::quote;
use yaml::{At, Mistakes, Node, Reader, SyntaxError, Value};

use crate::config::{Config, ScrapeConfigFile, complete_scrape_configs};
use crate::environment;
use crate::errors::{Error, Errors, Problem};
use crate::http::HttpSettings;
use crate::notice::{Notice, inactive_settings};
use crate::scrape::ScrapeConfig;
use crate::web::WebConfig;

/// The outside world as far as configurations need it, so that tests and tools can stand in for it.
pub trait Files {
    /// The bytes of a file.
    ///
    /// # Errors
    /// If it cannot be read.
    fn read(&self, path: &Path) -> io::Result<Vec<u8>>;

    /// The files that a pattern with a star in its last part names, in order.
    ///
    /// # Errors
    /// If a folder that is there cannot be listed.
    fn matching(&self, pattern: &Path) -> io::Result<Vec<PathBuf>>;

    /// The value of a variable of the environment.
    fn variable(&self, name: &str) -> Option<String>;
}

/// How strict to be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    /// Everything is allowed.
    #[default]
    Server,
    /// Only what an agent does, which neither queries nor alerts.
    Agent,
}

/// A configuration that is complete and right.
#[derive(Clone, Debug, PartialEq)]
pub struct Loaded {
    /// What the file says.
    pub config: Config,
    /// All that is to be scraped, including what stands in `scrape_config_files`.
    pub scrape_configs: Vec<ScrapeConfig>,
    /// What users should know about it.
    pub notices: Vec<Notice>,
}

/// Reads the configuration in the file `path`.
///
/// # Errors
/// Everything that is wrong with it, and with the files it includes.
pub fn load(path: &Path, mode: Mode, files: &dyn Files) -> Result<Loaded, Errors> {
    let text = read_text(path, files).map_err(|error| Errors(vec![error]))?;
    parse(&text, path, mode, files)
}

/// Reads a configuration from a text that stands, or could stand, in the file `path`: what is relative in it is relative to
/// that file's folder.
///
/// # Errors
/// Everything that is wrong with it, and with the files it includes.
pub fn parse(text: &str, path: &Path, mode: Mode, files: &dyn Files) -> Result<Loaded, Errors> {
    let fail = |problem| Errors(vec![Error { file: path.to_owned(), problem }]);
    let root = document(text).map_err(|error| fail(Mistakes::from(error).into()))?;
    let variable = |name: &str| files.variable(name);
    let mut environment = environment::Reader::new(&variable);
    let config = read_config(&root, path, &mut environment).map_err(|mistakes| fail(mistakes.into()))?;
    let forbidden = forbidden_keys(&config, mode);
    if !forbidden.is_empty() {
        let problem = |key| Problem::Conflict(format!("field {key} is not allowed in agent mode"));
        let error = |key| Error { file: path.to_owned(), problem: problem(key) };
        return Err(Errors(forbidden.into_iter().map(error).collect()));
    }
    let mut notices = inactive_settings(path, &root);
    notices.extend(environment.missing().map(|name| Notice {
        file: path.to_owned(),
        line: root.get("global").and_then(|global| global.get("external_labels")).map_or(0, |node| node.line),
        path: "global.external_labels".to_owned(),
        message: format!("the environment has no variable {name}"),
    }));
    let scrape_configs = include_scrape_configs(&config, files, &mut notices)?;
    Ok(Loaded { config, scrape_configs, notices })
}

/// Reads the settings of an HTTP client that are a file of their own, as `promtool --http.config.file` takes.
///
/// # Errors
/// Everything that is wrong with it.
pub fn load_http(path: &Path, files: &dyn Files) -> Result<HttpSettings, Errors> {
    load_alone(path, files, HttpSettings::validate)
}

/// Reads how our own HTTP server is secured.
///
/// # Errors
/// Everything that is wrong with it.
pub fn load_web(path: &Path, files: &dyn Files) -> Result<WebConfig, Errors> {
    load_alone(path, files, |_, _| {})
}

/// Reads a file that stands alone, and checks what `check` adds to what it checks itself.
fn load_alone<T: Value + Default>(
    path: &Path,
    files: &dyn Files,
    check: impl FnOnce(&mut T, &mut At<'_>),
) -> Result<T, Errors> {
    let text = read_text(path, files).map_err(|error| Errors(vec![error]))?;
    let fail = |mistakes: Mistakes| Errors(vec![Error { file: path.to_owned(), problem: mistakes.into() }]);
    let root = document(&text).map_err(|error| fail(error.into()))?;
    let mut reader = Reader::new(folder(path));
    let mut value = T::default();
    reader.read(&root, &mut value);
    check(&mut value, &mut At::new(&mut reader, &root));
    reader.finish(value).map_err(fail)
}

/// The root of a document. One without anything in it is an empty mapping.
fn document(text: &str) -> Result<Arc<Node>, SyntaxError> {
    let root = yaml::parse(text)?.filter(|root| !root.is_null());
    Ok(root.unwrap_or_else(|| {
        let content = yaml::Content::Mapping(Vec::new());
        Arc::new(Node { line: 1, column: 1, tag: None, content })
    }))
}

fn read_config(root: &Node, path: &Path, environment: &mut environment::Reader<'_>) -> Result<Config, Mistakes> {
    let mut reader = Reader::new(folder(path));
    let mut config = Config::default();
    reader.read(root, &mut config);
    config.complete(environment, &mut At::new(&mut reader, root));
    reader.finish(config)
}

/// The keys that are there and must not be.
fn forbidden_keys(config: &Config, mode: Mode) -> Vec<&'static str> {
    if mode == Mode::Server {
        return Vec::new();
    }
    let alerting = &config.alerting;
    let keys = [
        ("alerting", !alerting.alertmanagers.is_empty() || !alerting.alert_relabel_configs.is_empty()),
        ("rule_files", !config.rule_files.is_empty()),
        ("remote_read", !config.remote_read.is_empty()),
    ];
    keys.into_iter().filter(|(_, is_there)| *is_there).map(|(key, _)| key).collect()
}

/// All scrape configurations: those of `config` and those of the files it names.
fn include_scrape_configs(
    config: &Config,
    files: &dyn Files,
    notices: &mut Vec<Notice>,
) -> Result<Vec<ScrapeConfig>, Errors> {
    let mut all = config.scrape_configs.clone();
    let main_file = || "main config file".to_owned();
    let mut jobs: BTreeMap<String, String> = all.iter().map(|config| (config.job_name.clone(), main_file())).collect();
    let mut errors = Vec::new();
    for pattern in &config.scrape_config_files {
        let pattern = Path::new(pattern.as_str());
        let paths = match files.matching(pattern) {
            Ok(paths) => paths,
            Err(error) => {
                let problem = format!("error retrieving scrape config files for {}: {error}", quoted(pattern));
                errors.push(Error { file: pattern.to_owned(), problem: Problem::Unreadable(problem) });
                continue;
            }
        };
        for path in paths {
            let included = match include(&path, config, files, notices) {
                Ok(included) => included,
                Err(error) => {
                    errors.push(error);
                    continue;
                }
            };
            for scrape_config in included {
                match jobs.insert(scrape_config.job_name.clone(), quoted(&path)) {
                    Some(first) => errors.push(repeated(&path, &scrape_config.job_name, &first)),
                    None => all.push(scrape_config),
                }
            }
        }
    }
    if errors.is_empty() { Ok(all) } else { Err(Errors(errors)) }
}

fn repeated(path: &Path, job: &str, first: &str) -> Error {
    let file = quoted(path);
    let message = format!("{file}: found multiple scrape configs with job name {}, first found in {first}", quote(job));
    Error { file: path.to_owned(), problem: Problem::Conflict(message) }
}

/// The scrape configurations of one file.
fn include(
    path: &Path,
    config: &Config,
    files: &dyn Files,
    notices: &mut Vec<Notice>,
) -> Result<Vec<ScrapeConfig>, Error> {
    let text = read_text(path, files)?;
    let fail = |problem: Mistakes| Error { file: path.to_owned(), problem: problem.into() };
    let root = document(&text).map_err(|error| fail(error.into()))?;
    let mut reader = Reader::new(folder(path));
    let mut file = ScrapeConfigFile::default();
    reader.read(&root, &mut file);
    complete_scrape_configs(&mut file.scrape_configs, &config.global, &mut At::new(&mut reader, &root));
    notices.extend(inactive_settings(path, &root));
    reader.finish(file.scrape_configs).map_err(fail)
}

fn read_text(path: &Path, files: &dyn Files) -> Result<String, Error> {
    let fail = |problem| Error { file: path.to_owned(), problem };
    let bytes =
        files.read(path).map_err(|error| fail(Problem::Unreadable(format!("open {}: {error}", path.display()))))?;
    String::from_utf8(bytes).map_err(|_| {
        let message = "invalid UTF-8".to_owned();
        fail(Mistakes::from(SyntaxError { line: 0, column: 0, message }).into())
    })
}

fn folder(path: &Path) -> &Path {
    path.parent().unwrap_or(Path::new(""))
}

fn quoted(path: &Path) -> String {
    quote(&path.to_string_lossy())
}
