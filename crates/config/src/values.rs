//! Kinds of settings beyond texts and numbers.

use std::fmt;
use std::path::{Component, Path, PathBuf};

use model::{NameScheme, quote};
use yaml::{Node, Output, Reader, Text, Value, as_text};

/// A text that is never shown.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// The secret itself: only for those who use it.
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl From<&str> for Secret {
    fn from(text: &str) -> Self {
        Self(text.to_owned())
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(HIDDEN)
    }
}

/// What is shown instead of a secret.
const HIDDEN: &str = "<secret>";

impl Value for Secret {
    fn read(&mut self, node: &Node, reader: &mut Reader) {
        self.0.read(node, reader);
    }

    fn clear(&mut self) {
        self.0.clear();
    }

    fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn write(&self) -> Output {
        if self.is_empty() { Output::Plain("null".to_owned()) } else { Output::Text(HIDDEN.to_owned()) }
    }

    fn go_type(&self) -> String {
        "config.plain".to_owned()
    }
}

/// The path of a file, or a pattern of paths. What is relative in the document is relative to the document's folder, and
/// is joined with it here.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FilePath(String);

impl FilePath {
    /// The path, empty if there is none.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The path, if there is one.
    pub fn to_path(&self) -> Option<PathBuf> {
        (!self.is_empty()).then(|| PathBuf::from(&self.0))
    }
}

impl Value for FilePath {
    fn read(&mut self, node: &Node, reader: &mut Reader) {
        self.0.read(node, reader);
        if !self.0.is_empty() && Path::new(&self.0).is_relative() {
            self.0 = clean(&reader.folder().join(&self.0));
        }
    }

    fn clear(&mut self) {
        self.0.clear();
    }

    fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn write(&self) -> Output {
        self.0.write()
    }

    fn go_type(&self) -> String {
        self.0.go_type()
    }
}

/// A path without needless parts, as Go's `filepath.Clean` leaves it.
fn clean(path: &Path) -> String {
    let mut parts: Vec<Component<'_>> = Vec::new();
    for part in path.components() {
        match (part, parts.last()) {
            (Component::CurDir, _) | (Component::ParentDir, Some(Component::RootDir)) => {}
            (Component::ParentDir, Some(Component::Normal(_))) => {
                parts.pop();
            }
            _ => parts.push(part),
        }
    }
    if parts.is_empty() { ".".to_owned() } else { parts.iter().collect::<PathBuf>().to_string_lossy().into_owned() }
}

/// A number of bytes, with units that are powers of 1024: `512MB` and `512MiB` are the same.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Bytes(pub i64);

const BYTE_UNITS: [(&str, u32); 7] = [("", 0), ("K", 10), ("M", 20), ("G", 30), ("T", 40), ("P", 50), ("E", 60)];

impl Text for Bytes {
    const GO_TYPE: &'static str = "units.Base2Bytes";

    fn parse(text: &str) -> Result<Self, String> {
        let invalid = || format!("units: invalid {text}");
        let (sign, mut rest) = match text.as_bytes().first() {
            Some(b'-') => (-1.0, &text[1..]),
            Some(b'+') => (1.0, &text[1..]),
            _ => (1.0, text),
        };
        if rest == "0" {
            return Ok(Self(0));
        }
        if rest.is_empty() {
            return Err(invalid());
        }
        let is_number = |c: char| c.is_ascii_digit() || c == '.';
        let mut total = 0.0;
        while !rest.is_empty() {
            let (number, tail) = rest.split_at(rest.find(|c| !is_number(c)).unwrap_or(rest.len()));
            let (unit, tail) = tail.split_at(tail.find(is_number).unwrap_or(tail.len()));
            let has_digit = number.bytes().any(|byte| byte.is_ascii_digit());
            let number: f64 = number.parse().ok().filter(|_| has_digit).ok_or_else(invalid)?;
            let prefix = unit.strip_suffix("iB").or_else(|| unit.strip_suffix('B'));
            let shift = prefix.and_then(|prefix| BYTE_UNITS.iter().find(|(name, _)| *name == prefix));
            let (_, shift) = shift.ok_or_else(|| format!("units: unknown unit {unit} in {text}"))?;
            total += number * (1u64 << shift) as f64;
            rest = tail;
        }
        if total >= i64::MAX as f64 {
            Err("units: overflow parsing unit".to_owned())
        } else {
            Ok(Self((sign * total) as i64))
        }
    }

    /// Writes the sum of whole units: `1GiB512KiB`.
    fn print(&self) -> String {
        if self.0 == 0 {
            return "0B".to_owned();
        }
        let magnitude = self.0.unsigned_abs();
        let parts = BYTE_UNITS.iter().rev().filter_map(|(unit, shift)| {
            let number = (magnitude >> shift) % if *shift == 60 { u64::MAX } else { 1024 };
            let sign = if self.0 < 0 { "-" } else { "" };
            let suffix = if *shift == 0 { "B" } else { "iB" };
            (number != 0).then(|| format!("{sign}{number}{unit}{suffix}"))
        });
        parts.collect()
    }

    fn empty() -> Self {
        Self(0)
    }
}

as_text!(Bytes);

/// The name of a label. Any text but the empty one, whatever the scheme of names: rules may need to name odd labels.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct LabelName(pub String);

impl Text for LabelName {
    const GO_TYPE: &'static str = "model.LabelName";
    const NOUN: &'static str = "label name";

    fn parse(text: &str) -> Result<Self, String> {
        if text.is_empty() {
            Err(format!("{} is not a valid label name", quote(text)))
        } else {
            Ok(Self(text.to_owned()))
        }
    }

    fn print(&self) -> String {
        self.0.clone()
    }

    fn empty() -> Self {
        Self::default()
    }
}

as_text!(LabelName);

/// Which names of metrics and labels are valid; `None` is what holds around it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct NameSetting(pub(crate) Option<NameScheme>);

impl Text for NameSetting {
    fn parse(text: &str) -> Result<Self, String> {
        match text {
            "" => Ok(Self(None)),
            "utf8" => Ok(Self(Some(NameScheme::Utf8))),
            "legacy" => Ok(Self(Some(NameScheme::Legacy))),
            _ => Err(format!("unrecognized ValidationScheme: {}", quote(text))),
        }
    }

    fn print(&self) -> String {
        match self.0 {
            None => "",
            Some(NameScheme::Utf8) => "utf8",
            Some(NameScheme::Legacy) => "legacy",
        }
        .to_owned()
    }

    fn empty() -> Self {
        Self(None)
    }
}

as_text!(NameSetting);

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn paths_are_joined_and_cleaned() {
        for (folder, path, joined) in [
            ("/etc/x", "a/*.yml", "/etc/x/a/*.yml"),
            ("/etc/x", "/b", "/b"),
            ("/etc/x", "../b/./c", "/etc/b/c"),
            ("", "a", "a"),
            (".", "a", "a"),
            ("/", "../..", "/"),
            ("x", "..", "."),
            ("/etc", "", ""),
        ] {
            let mut reader = Reader::new(Path::new(folder));
            let mut value = FilePath::default();
            value.read(&yaml::parse(&format!("'{path}'")).unwrap().unwrap(), &mut reader);
            assert_eq!(value.as_str(), joined, "{folder} {path}");
        }
    }

    #[test]
    fn sizes_are_read_and_written() {
        for (text, bytes, printed) in [
            ("0", 0, "0B"),
            ("15MB", 15 << 20, "15MiB"),
            ("1.5GiB", 3 << 29, "1GiB512MiB"),
            ("1KB1B", 1025, "1KiB1B"),
            ("-1GB", -(1 << 30), "-1GiB"),
            ("7EB", 7 << 60, "7EiB"),
        ] {
            assert_eq!((Bytes::parse(text), Bytes(bytes).print()), (Ok(Bytes(bytes)), printed.to_owned()), "{text}");
        }
        for (text, message) in [
            ("", "units: invalid "),
            ("10", "units: unknown unit  in 10"),
            ("1kB", "units: unknown unit kB in 1kB"),
            (".MB", "units: invalid .MB"),
            ("1.2.3MB", "units: invalid 1.2.3MB"),
            ("8EB", "units: overflow parsing unit"),
        ] {
            assert_eq!(Bytes::parse(text), Err(message.to_owned()));
        }
    }

    proptest! {
        #[test]
        fn sizes_that_are_written_read_back(bytes in 0i64..1 << 53) {
            prop_assert_eq!(Bytes::parse(&Bytes(bytes).print()), Ok(Bytes(bytes)));
        }
    }
}
