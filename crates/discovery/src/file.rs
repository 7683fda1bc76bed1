//! Targets in files.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use futures::FutureExt;
use futures::future::BoxFuture;
use stdx::Clock;

use crate::config::FileConfig;
use crate::discoverer::{Context, Mechanism};
use crate::glob::matching_files;
use crate::group::{GroupError, TargetGroup, groups_from_json, groups_from_yaml};
use crate::metrics::Metrics;
use crate::updates::Updates;

const NAME: &str = "file";

/// How often we look whether files have changed, which costs one call of the system each. Asking the system to tell us
/// would be faster, but it does not know of changes on network file systems and behind the links that Kubernetes mounts.
const POLL_INTERVAL: Duration = Duration::from_secs(5);

/// The label that says which file a target is from.
const PATH_LABEL: &str = "__meta_filepath";

/// Finds targets in files.
pub(crate) struct Files {
    config: FileConfig,
    clock: Clock,
    metrics: Metrics,
    known: BTreeMap<PathBuf, KnownFile>,
}

/// A file as it was when we last looked.
struct KnownFile {
    stamp: Stamp,
    /// How many groups it has: those of the last time that it could be read.
    group_count: usize,
}

/// What tells a changed file from an unchanged one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Stamp {
    modified: Option<SystemTime>,
    size_bytes: u64,
}

/// What a look at all files brought.
struct Look {
    /// Every file that is there.
    files: BTreeMap<PathBuf, SeenFile>,
    /// What could not be looked at: then files that are not seen may be there all the same.
    failures: Vec<(PathBuf, io::Error)>,
}

/// A file that is there.
struct SeenFile {
    stamp: Stamp,
    /// What is in it, if it was read.
    groups: Option<Result<Vec<TargetGroup>, FileError>>,
}

/// Why a file has no groups.
#[derive(Debug, thiserror::Error)]
enum FileError {
    #[error(transparent)]
    Unreadable(#[from] io::Error),
    #[error("the file is not UTF-8")]
    NotText,
    #[error(transparent)]
    Wrong(#[from] GroupError),
}

impl Files {
    pub(crate) fn new(config: FileConfig, context: &Context) -> Self {
        let (clock, metrics) = (context.clock.clone(), context.metrics.clone());
        Self { config, clock, metrics, known: BTreeMap::new() }
    }

    async fn find(mut self, updates: Updates) {
        let mut next_refresh = self.clock.now();
        let mut has_looked = false;
        loop {
            let now = self.clock.now();
            let is_refresh = now >= next_refresh;
            if is_refresh {
                next_refresh = now + self.config.refresh_interval;
            }
            let stamps = if is_refresh {
                BTreeMap::new()
            } else {
                self.known.iter().map(|(path, file)| (path.clone(), file.stamp)).collect()
            };
            let patterns = self.config.patterns.clone();
            let Ok(look) = tokio::task::spawn_blocking(move || look(&patterns, &stamps)).await else {
                // The runtime is shutting down.
                return;
            };
            let groups = self.take(look);
            if is_refresh {
                self.metrics.refreshed(NAME, self.clock.now() - now);
            }
            // That there is nothing is said once.
            if !groups.is_empty() || !std::mem::replace(&mut has_looked, true) {
                updates.send(groups);
            }
            self.clock.sleep(POLL_INTERVAL.min(self.config.refresh_interval)).await;
        }
    }

    /// Notes what is there now and returns the groups that are new or gone.
    fn take(&mut self, look: Look) -> Vec<TargetGroup> {
        let mut changed = Vec::new();
        for (path, error) in &look.failures {
            self.metrics.refresh_failed(NAME);
            tracing::warn!(path = %path.display(), %error, "cannot list files with targets");
        }
        if look.failures.is_empty() {
            self.known.retain(|path, file| {
                let is_there = look.files.contains_key(path);
                if !is_there {
                    changed.extend((0..file.group_count).map(|index| TargetGroup::gone(source(path, index))));
                }
                is_there
            });
        }
        for (path, SeenFile { stamp, groups }) in look.files {
            let group_count = self.known.get(&path).map_or(0, |file| file.group_count);
            let group_count = match groups {
                None => group_count,
                Some(Ok(groups)) => {
                    let new_count = groups.len();
                    changed.extend(groups);
                    changed.extend((new_count..group_count).map(|index| TargetGroup::gone(source(&path, index))));
                    new_count
                }
                Some(Err(error)) => {
                    self.metrics.refresh_failed(NAME);
                    tracing::warn!(path = %path.display(), %error, "cannot read targets, keeping those known");
                    group_count
                }
            };
            self.known.insert(path, KnownFile { stamp, group_count });
        }
        changed
    }
}

impl Mechanism for Files {
    fn run(self: Box<Self>, updates: Updates) -> BoxFuture<'static, ()> {
        self.find(updates).boxed()
    }
}

/// Looks at all files, and reads those whose stamp is not in `stamps`. Blocks.
fn look(patterns: &[PathBuf], stamps: &BTreeMap<PathBuf, Stamp>) -> Look {
    let mut look = Look { files: BTreeMap::new(), failures: Vec::new() };
    for pattern in patterns {
        let paths = match matching_files(pattern) {
            Ok(paths) => paths,
            Err(error) => {
                look.failures.push((pattern.clone(), error));
                continue;
            }
        };
        for path in paths {
            match stamp(&path) {
                Ok(stamp) => {
                    let groups = (stamps.get(&path) != Some(&stamp)).then(|| read(&path));
                    look.files.insert(path, SeenFile { stamp, groups });
                }
                // Removed since it was listed, or a link to nothing.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => look.failures.push((path, error)),
            }
        }
    }
    look
}

fn stamp(path: &Path) -> io::Result<Stamp> {
    let metadata = fs::metadata(path)?;
    Ok(Stamp { modified: metadata.modified().ok(), size_bytes: metadata.len() })
}

fn read(path: &Path) -> Result<Vec<TargetGroup>, FileError> {
    let bytes = fs::read(path)?;
    let name = path.to_string_lossy();
    let is_json = path.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("json"));
    let mut groups = if is_json {
        groups_from_json(&name, &bytes)?
    } else {
        groups_from_yaml(&name, std::str::from_utf8(&bytes).map_err(|_| FileError::NotText)?)?
    };
    for group in &mut groups {
        group.set_label(PATH_LABEL, &name);
    }
    Ok(groups)
}

/// The source of a group, as reading a file names it.
fn source(path: &Path, index: usize) -> String {
    format!("{}:{index}", path.display())
}
