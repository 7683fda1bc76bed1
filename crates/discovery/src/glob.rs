//! Patterns of file names.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// The files that a pattern names, in order: those whose path is the pattern where it has no special characters, and in
/// whose last part `*` stands for any characters, `?` for one, `[a-c]` for one of some and `[^a-c]` for any other.
///
/// A folder that is not there has no files. Only the last part of a pattern can be special, as in Prometheus' settings.
///
/// # Errors
/// If a folder that is there cannot be listed.
pub fn matching_files(pattern: &Path) -> io::Result<Vec<PathBuf>> {
    let Some(name) = pattern.file_name().map(|name| name.to_string_lossy().into_owned()) else {
        return Ok(Vec::new());
    };
    if !name.contains(['*', '?', '[', '\\']) {
        return Ok(if pattern.try_exists()? { vec![pattern.to_owned()] } else { Vec::new() });
    }
    let folder = pattern.parent().filter(|folder| !folder.as_os_str().is_empty());
    let entries = match fs::read_dir(folder.unwrap_or(Path::new("."))) {
        Ok(entries) => entries,
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
            return Ok(Vec::new());
        }
        Err(error) => return Err(error),
    };
    let pattern: Vec<char> = name.chars().collect();
    let mut found = Vec::new();
    for entry in entries {
        let name = entry?.file_name();
        let characters: Vec<char> = name.to_string_lossy().chars().collect();
        if matches(&pattern, &characters) {
            found.push(folder.map_or_else(|| PathBuf::from(&name), |folder| folder.join(&name)));
        }
    }
    found.sort();
    Ok(found)
}

/// Whether a name is one of those that a pattern stands for. A pattern that is not well-formed matches nothing.
fn matches(pattern: &[char], name: &[char]) -> bool {
    match pattern.split_first() {
        None => name.is_empty(),
        Some(('*', rest)) => (0..=name.len()).any(|skipped| matches(rest, &name[skipped..])),
        Some((first, rest)) => {
            let Some((c, others)) = name.split_first() else { return false };
            match first {
                '?' => matches(rest, others),
                '[' => class(rest, *c).is_some_and(|(is_in, rest)| is_in && matches(rest, others)),
                '\\' => rest.split_first().is_some_and(|(escaped, rest)| escaped == c && matches(rest, others)),
                first => first == c && matches(rest, others),
            }
        }
    }
}

/// Whether `c` is in the class whose inside begins `pattern`, and what follows the class; `None` if it does not end.
fn class(pattern: &[char], c: char) -> Option<(bool, &[char])> {
    let (is_negated, mut rest) = match pattern.split_first() {
        Some(('^', rest)) => (true, rest),
        _ => (false, pattern),
    };
    let mut is_in = false;
    let mut is_first = true;
    loop {
        let (low, after) = take(rest)?;
        if low == ']' && !is_first && rest[0] == ']' {
            return Some((is_in != is_negated, after));
        }
        (is_in, rest) = match after.split_first() {
            Some(('-', after)) => {
                let (high, after) = take(after)?;
                (is_in || (low..=high).contains(&c), after)
            }
            _ => (is_in || low == c, after),
        };
        is_first = false;
    }
}

/// The first character of a class, its escape undone, and what follows.
fn take(pattern: &[char]) -> Option<(char, &[char])> {
    match pattern.split_first()? {
        ('\\', rest) => rest.split_first().map(|(c, rest)| (*c, rest)),
        (c, rest) => Some((*c, rest)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(pattern: &str, name: &str) -> bool {
        let characters = |text: &str| text.chars().collect::<Vec<_>>();
        matches(&characters(pattern), &characters(name))
    }

    #[test]
    fn patterns_stand_for_names() {
        for (pattern, name) in
            [("*.yml", "a.yml"), ("a*b*c", "axxbc"), ("?[a-c][^0-9].x", "zbq.x"), ("\\*", "*"), ("é*", "éa")]
        {
            assert!(check(pattern, name), "{pattern} {name}");
        }
        for (pattern, name) in [("*.yml", "a.yaml"), ("[a-c]", "d"), ("[", "["), ("[a", "a"), ("a", "ab"), ("?", "")] {
            assert!(!check(pattern, name), "{pattern} {name}");
        }
    }

    #[test]
    fn files_are_found_in_order() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["b.yml", "a.yml", "c.json"] {
            fs::write(folder.path().join(name), "").unwrap();
        }
        let names = |pattern: &str| -> Vec<String> {
            let found = matching_files(&folder.path().join(pattern)).unwrap();
            found.iter().map(|path| path.file_name().unwrap().to_string_lossy().into_owned()).collect()
        };
        assert_eq!(names("*.yml"), ["a.yml", "b.yml"]);
        assert_eq!(names("c.json"), ["c.json"]);
        assert!(names("d.json").is_empty());
        assert!(names("nowhere/*.yml").is_empty());
    }
}
