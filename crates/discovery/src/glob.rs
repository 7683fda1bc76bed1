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
///
/// Only the last star has to be tried again when what follows does not match, so this takes at most the product of both
/// lengths, however many stars there are.
fn matches(pattern: &[char], name: &[char]) -> bool {
    let (mut pattern, mut name) = (pattern, name);
    // What follows the last star, and the part of the name that the star has not swallowed yet.
    let mut last_star = None;
    loop {
        if let Some(('*', rest)) = pattern.split_first() {
            pattern = rest;
            last_star = Some((rest, name));
        } else if let Some(next) = step(pattern, name) {
            (pattern, name) = next;
        } else if pattern.is_empty() && name.is_empty() {
            return true;
        } else {
            let Some((after_star, [_, rest @ ..])) = last_star else { return false };
            last_star = Some((after_star, rest));
            (pattern, name) = (after_star, rest);
        }
    }
}

/// What remains of a pattern, which does not begin with a star, and a name after one character of the name; `None` if that
/// does not match.
fn step<'p, 'n>(pattern: &'p [char], name: &'n [char]) -> Option<(&'p [char], &'n [char])> {
    let (first, rest) = pattern.split_first()?;
    let (c, name) = name.split_first()?;
    let rest = match first {
        '?' => rest,
        '[' => class(rest, *c).filter(|(is_in, _)| *is_in)?.1,
        '\\' => rest.split_first().filter(|(escaped, _)| *escaped == c)?.1,
        first => (first == c).then_some(rest)?,
    };
    Some((rest, name))
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
    fn many_stars_take_no_longer() {
        assert!(!check(&"*a".repeat(50), &format!("{}b", "a".repeat(250))));
        assert!(check(&"*a".repeat(50), &"a".repeat(250)));
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
