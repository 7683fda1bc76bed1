//! A mechanism that is known but not asked yet: one row of a table says how to read it.

use std::collections::BTreeMap;
use std::time::Duration;

use model::quote;
use yaml::{At, Content, Fields, Node, Output, Reader, Record, Value, plain_name, read_record, record};

use crate::http::{HttpSettings, TlsSettings};
use crate::values::{FilePath, Secret};

/// How a mechanism is configured.
#[derive(Debug)]
pub struct Mechanism {
    /// The key of its list.
    pub key: &'static str,
    /// The Go type that Prometheus has for an entry.
    pub(super) go_type: &'static str,
    /// Its settings, in the order in which they are written.
    pub(super) settings: &'static [Setting],
    /// Checks an entry.
    pub(super) check: fn(&mut Entry, &mut At<'_>),
}

/// A setting of a mechanism.
#[derive(Debug)]
pub(super) struct Setting {
    pub(super) key: &'static str,
    pub(super) kind: Kind,
    /// Whether it is written even if it is empty.
    pub(super) is_always_written: bool,
}

/// The kind of a setting, with its default.
#[derive(Debug)]
pub(super) enum Kind {
    Text(&'static str),
    /// A text that is one of some, and the beginning of the message if it is none.
    Choice(&'static str, &'static [&'static str], &'static str),
    Secret,
    Path,
    Number(i64),
    Flag(bool),
    Seconds(u64),
    Texts,
    TextMap,
    Filters,
    Tls,
    /// The settings of an HTTP client, inlined.
    Http,
    /// The same without their defaults.
    BareHttp,
}

/// The value of a setting.
#[derive(Clone, Debug, PartialEq)]
enum SettingValue {
    Text(String),
    Choice(Choice),
    Secret(Secret),
    Path(FilePath),
    Number(i64),
    Flag(bool),
    Duration(Duration),
    Texts(Vec<String>),
    TextMap(BTreeMap<String, String>),
    Filters(Vec<Filter>),
    Tls(Box<TlsSettings>),
    Http(Box<HttpSettings>),
}

record! {
    /// Which objects to ask a mechanism for.
    pub struct Filter: "Filter" {
        /// What to look at.
        pub name: String => always,
        /// What it may be.
        pub values: Vec<String> => always,
    }
}

impl SettingValue {
    fn new(kind: &'static Kind) -> Self {
        match *kind {
            Kind::Text(default) => Self::Text(default.to_owned()),
            Kind::Choice(default, known, message) => Self::Choice(Choice { text: default.to_owned(), known, message }),
            Kind::Secret => Self::Secret(Secret::default()),
            Kind::Path => Self::Path(FilePath::default()),
            Kind::Number(default) => Self::Number(default),
            Kind::Flag(default) => Self::Flag(default),
            Kind::Seconds(default) => Self::Duration(Duration::from_secs(default)),
            Kind::Texts => Self::Texts(Vec::new()),
            Kind::TextMap => Self::TextMap(BTreeMap::new()),
            Kind::Filters => Self::Filters(Vec::new()),
            Kind::Tls => Self::Tls(Box::default()),
            Kind::Http => Self::Http(Box::default()),
            Kind::BareHttp => {
                let mut http = HttpSettings::default();
                http.clear();
                Self::Http(Box::new(http))
            }
        }
    }

    fn as_value(&self) -> &dyn Value {
        match self {
            Self::Text(value) => value,
            Self::Choice(value) => value,
            Self::Secret(value) => value,
            Self::Path(value) => value,
            Self::Number(value) => value,
            Self::Flag(value) => value,
            Self::Duration(value) => value,
            Self::Texts(value) => value,
            Self::TextMap(value) => value,
            Self::Filters(value) => value,
            Self::Tls(value) => value.as_ref(),
            Self::Http(value) => value.as_ref(),
        }
    }

    fn as_value_mut(&mut self) -> &mut dyn Value {
        match self {
            Self::Text(value) => value,
            Self::Choice(value) => value,
            Self::Secret(value) => value,
            Self::Path(value) => value,
            Self::Number(value) => value,
            Self::Flag(value) => value,
            Self::Duration(value) => value,
            Self::Texts(value) => value,
            Self::TextMap(value) => value,
            Self::Filters(value) => value,
            Self::Tls(value) => value.as_mut(),
            Self::Http(value) => value.as_mut(),
        }
    }
}

/// A text that is one of some.
#[derive(Clone, Debug, PartialEq)]
struct Choice {
    text: String,
    known: &'static [&'static str],
    message: &'static str,
}

impl Value for Choice {
    fn read(&mut self, node: &Node, reader: &mut Reader) {
        let Some(text) = reader.text::<String>(node) else { return };
        if self.known.contains(&text.as_str()) {
            self.text = text;
        } else {
            reader.invalid(node, format!("{} {}", self.message, quote(&text)));
        }
    }

    fn clear(&mut self) {
        self.text.clear();
    }

    fn is_empty(&self) -> bool {
        self.text.is_empty()
    }

    fn write(&self) -> Output {
        self.text.write()
    }

    fn go_type(&self) -> String {
        "string".to_owned()
    }
}

/// An entry of a mechanism's list.
#[derive(Clone, Debug)]
pub struct Entry {
    mechanism: &'static Mechanism,
    /// One for each of the mechanism's settings.
    values: Vec<SettingValue>,
}

impl PartialEq for Entry {
    fn eq(&self, other: &Self) -> bool {
        self.mechanism.key == other.mechanism.key && self.values == other.values
    }
}

impl Entry {
    fn new(mechanism: &'static Mechanism) -> Self {
        let values = mechanism.settings.iter().map(|setting| SettingValue::new(&setting.kind)).collect();
        Self { mechanism, values }
    }

    /// Whether a setting is not empty.
    pub(super) fn has(&self, key: &str) -> bool {
        !self.setting(key).as_value().is_empty()
    }

    /// A setting that is a text, or a choice of one.
    pub(super) fn text(&self, key: &str) -> &str {
        match self.setting(key) {
            SettingValue::Text(text) => text,
            SettingValue::Choice(choice) => &choice.text,
            other => unreachable!("{} {key} is no text: {other:?}", self.mechanism.key),
        }
    }

    /// A setting that is a secret.
    pub(super) fn secret(&self, key: &str) -> Secret {
        match self.setting(key) {
            SettingValue::Secret(secret) => secret.clone(),
            other => unreachable!("{} {key} is no secret: {other:?}", self.mechanism.key),
        }
    }

    /// Sets a setting that is a text.
    pub(super) fn set_text(&mut self, key: &str, text: String) {
        let at = self.position(key);
        self.values[at] = SettingValue::Text(text);
    }

    /// A setting that is a number.
    pub(super) fn number(&self, key: &str) -> i64 {
        match self.setting(key) {
            SettingValue::Number(number) => *number,
            other => unreachable!("{} {key} is no number: {other:?}", self.mechanism.key),
        }
    }

    /// A setting that is a list of texts.
    pub(super) fn texts(&self, key: &str) -> &[String] {
        match self.setting(key) {
            SettingValue::Texts(texts) => texts,
            other => unreachable!("{} {key} is no list of texts: {other:?}", self.mechanism.key),
        }
    }

    /// A setting that is a list of filters.
    pub(super) fn filters(&self, key: &str) -> &[Filter] {
        match self.setting(key) {
            SettingValue::Filters(filters) => filters,
            other => unreachable!("{} {key} is no list of filters: {other:?}", self.mechanism.key),
        }
    }

    /// The settings of the HTTP client, if the mechanism uses one.
    pub(super) fn http(&mut self) -> Option<&mut HttpSettings> {
        self.values.iter_mut().find_map(|value| match value {
            SettingValue::Http(http) => Some(http.as_mut()),
            _ => None,
        })
    }

    fn setting(&self, key: &str) -> &SettingValue {
        &self.values[self.position(key)]
    }

    fn position(&self, key: &str) -> usize {
        let found = self.mechanism.settings.iter().position(|setting| setting.key == key);
        found.expect("checks ask for settings that stand in the table beside them")
    }
}

impl Record for Entry {
    fn name_for_keys(&self) -> String {
        plain_name(self.mechanism.go_type)
    }

    fn field(&mut self, key: &str) -> Option<&mut dyn Value> {
        for (setting, value) in self.mechanism.settings.iter().zip(&mut self.values) {
            match value {
                SettingValue::Http(http) => {
                    if let Some(found) = http.field(key) {
                        return Some(found);
                    }
                }
                other if setting.key == key => return Some(other.as_value_mut()),
                _ => {}
            }
        }
        None
    }

    fn fields(&self, fields: &mut Fields) {
        for (setting, value) in self.mechanism.settings.iter().zip(&self.values) {
            match value {
                SettingValue::Http(http) => http.fields(fields),
                other if setting.is_always_written => fields.put_always(setting.key, other.as_value()),
                other => fields.put(setting.key, other.as_value()),
            }
        }
    }

    fn check(&mut self, at: &mut At<'_>) {
        (self.mechanism.check)(self, at);
        if let Some(http) = self.http() {
            http.validate(at);
        }
    }
}

impl Value for Entry {
    fn read(&mut self, node: &Node, reader: &mut Reader) {
        read_record(self, node, reader);
    }

    fn clear(&mut self) {
        self.values.iter_mut().for_each(|value| value.as_value_mut().clear());
    }

    fn is_empty(&self) -> bool {
        self.values.iter().all(|value| value.as_value().is_empty())
    }

    fn write(&self) -> Output {
        let mut fields = Fields::default();
        self.fields(&mut fields);
        fields.into_output()
    }

    fn go_type(&self) -> String {
        self.mechanism.go_type.to_owned()
    }
}

/// The list of a mechanism.
#[derive(Clone, Debug)]
pub struct Entries {
    mechanism: &'static Mechanism,
    list: Vec<Entry>,
}

impl PartialEq for Entries {
    fn eq(&self, other: &Self) -> bool {
        self.list == other.list
    }
}

impl Entries {
    pub(super) fn new(mechanism: &'static Mechanism) -> Self {
        Self { mechanism, list: Vec::new() }
    }

    /// The key of the list.
    pub fn key(&self) -> &'static str {
        self.mechanism.key
    }

    /// The entries.
    pub fn entries(&self) -> &[Entry] {
        &self.list
    }
}

impl Value for Entries {
    fn read(&mut self, node: &Node, reader: &mut Reader) {
        let Content::Sequence(items) = &node.content else {
            return reader.wrong_type(node, &self.go_type());
        };
        self.list.clear();
        for (index, item) in items.iter().enumerate() {
            let mut entry = Entry::new(self.mechanism);
            reader.in_item(index, |reader| reader.read(item, &mut entry));
            self.list.push(entry);
        }
    }

    fn clear(&mut self) {
        self.list.clear();
    }

    fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    fn write(&self) -> Output {
        Output::List(self.list.iter().map(Value::write).collect())
    }

    fn go_type(&self) -> String {
        format!("[]{}", self.mechanism.go_type)
    }
}
