//! Groups of settings with fixed keys.

use std::borrow::Cow;

use crate::Value;
use crate::node::{Content, Node};
use crate::output::Output;
use crate::reader::{At, Reader};

/// A group of settings with fixed keys; [`record!`](crate::record) makes one.
pub trait Record: Value {
    /// The name of the Go struct that Prometheus has for this. In messages about keys it is `plain` if the struct reads
    /// itself.
    fn name_for_keys(&self) -> String;

    /// The setting with this key, inlined groups included.
    fn field(&mut self, key: &str) -> Option<&mut dyn Value>;

    /// Gives every setting to `fields`, in order.
    fn fields(&self, fields: &mut Fields);

    /// Checks settings against each other, once each of them is right.
    fn check(&mut self, at: &mut At<'_>);
}

/// The settings of a record, as they are written.
#[derive(Debug, Default)]
pub struct Fields {
    written: Vec<(Cow<'static, str>, Output)>,
    /// Whether a setting has a value, those included that are written even if they are empty.
    is_any_set: bool,
}

impl Fields {
    /// Adds a setting if it is not empty.
    pub fn put(&mut self, key: &'static str, value: &dyn Value) {
        if !value.is_empty() {
            self.put_always(key, value);
        }
    }

    /// Adds a setting.
    pub fn put_always(&mut self, key: &'static str, value: &dyn Value) {
        self.is_any_set |= !value.is_empty();
        self.written.push((Cow::Borrowed(key), value.write()));
    }

    /// Adds a list that is written on one line, if it is not empty.
    pub fn put_flow(&mut self, key: &'static str, value: &dyn Value) {
        self.put(key, value);
        if let Some((last, output)) = self.written.last_mut()
            && last == key
            && let Output::List(items) = output
        {
            *output = Output::FlowList(std::mem::take(items));
        }
    }

    /// Everything that was added.
    pub fn into_output(self) -> Output {
        Output::Map(self.written)
    }

    /// Whether no setting had a value.
    pub fn are_empty(&self) -> bool {
        !self.is_any_set
    }
}

/// Reads a mapping into a record: what [`Value::read`] does for one.
pub fn read_record<R: Record>(record: &mut R, node: &Node, reader: &mut Reader) {
    let mistakes_before = reader.mistake_count();
    read_keys(record, node, reader);
    if reader.mistake_count() == mistakes_before {
        record.check(&mut At::new(reader, node));
    }
}

/// Reads the keys of a mapping, or of one that is merged into it.
fn read_keys<R: Record>(record: &mut R, node: &Node, reader: &mut Reader) {
    let Content::Mapping(entries) = &node.content else {
        return reader.wrong_type(node, &record.name_for_keys());
    };
    let mut seen: Vec<String> = Vec::with_capacity(entries.len());
    for (key_node, value_node) in entries {
        if key_node.is_merge() {
            // The last one to be read wins: go backwards, since the first mapping of a list has precedence.
            let merged: Vec<_> = value_node.merged().collect();
            if merged.iter().any(|merged| !matches!(merged.content, Content::Mapping(_))) {
                reader.invalid(value_node, "yaml: map merge requires map or sequence of maps as the value");
                continue;
            }
            merged.into_iter().rev().for_each(|merged| read_keys(record, merged, reader));
            continue;
        }
        let Some(key) = reader.text::<String>(key_node) else { continue };
        let is_repeated = seen.contains(&key);
        let problem = match record.field(&key) {
            Some(_) if is_repeated => "already set",
            Some(field) => {
                reader.in_key(&key, |reader| reader.read(value_node, field));
                seen.push(key);
                continue;
            }
            None => "not found",
        };
        let message = format!("field {key} {problem} in type {}", record.name_for_keys());
        reader.in_key(&key, |reader| reader.misshapen(key_node, message));
    }
}

/// The name that messages about keys give to a Go struct `name`, such as `*config.Global`, that reads itself.
pub fn plain_name(name: &str) -> String {
    let package = name.trim_start_matches('*').split('.').next().unwrap_or_default();
    format!("{package}.plain")
}

/// Declares a struct whose fields are settings: how it is read, checked and written, and its defaults, all from one list.
///
/// ```
/// yaml::record! {
///     /// Who may come in.
///     pub struct Door: plain "house.Door", check = check_guests {
///         /// The setting `guests`: without a default it is empty.
///         pub guests: Vec<String>,
///         /// Written even if it is empty, and with a default.
///         pub is_open as "open": bool = true => always,
///     }
/// }
///
/// impl Door {
///     fn check_guests(&mut self, at: &mut yaml::At<'_>) {
///         if !self.is_open && !self.guests.is_empty() {
///             at.invalid_key("guests", "a closed door has no guests");
///         }
///     }
/// }
///
/// let mistakes = yaml::from_text::<Door>("guests: [a]\nopen: no").unwrap_err();
/// assert_eq!((mistakes.0[0].line, mistakes.to_string()), (1, "a closed door has no guests".to_owned()));
/// ```
///
/// The literal is the Go type's name, with a star if lists hold pointers to it; `plain` says that it reads itself. After `check =` stands the method that compares
/// settings with each other. `as` gives a key that is not the field's name.
/// After `=>` stands how the field is written: `always`, even if empty; `flow`, on one line; `inline`, as settings of the
/// record that contains it.
#[macro_export]
macro_rules! record {
    (
        $(#[$meta:meta])*
        $vis:vis struct $name:ident: $($plain:ident)? $go:literal $(, check = $check:ident)? {
            $(
                $(#[$field_meta:meta])*
                $field_vis:vis $field:ident $(as $key:literal)?: $type:ty $(= $default:expr)? $(=> $mode:ident)?
            ),* $(,)?
        }
    ) => {
        $(#[$meta])*
        #[derive(Clone, Debug, PartialEq)]
        $vis struct $name {
            $($(#[$field_meta])* $field_vis $field: $type,)*
        }

        impl Default for $name {
            fn default() -> Self {
                Self { $($field: $crate::record!(@default $($default)?),)* }
            }
        }

        impl $crate::Record for $name {
            fn name_for_keys(&self) -> String {
                $crate::record!(@name $go $(, $plain)?)
            }

            #[allow(unused_variables, reason = "a record may have no fields")]
            fn field(&mut self, key: &str) -> Option<&mut dyn $crate::Value> {
                $($crate::record!(@find self, key, $field, $crate::record!(@key $field $($key)?) $(, $mode)?);)*
                None
            }

            #[allow(unused_variables, reason = "a record may have no fields")]
            fn fields(&self, fields: &mut $crate::Fields) {
                $($crate::record!(@put self, fields, $field, $crate::record!(@key $field $($key)?) $(, $mode)?);)*
            }

            #[allow(unused_variables, reason = "a record may have nothing to check")]
            fn check(&mut self, at: &mut $crate::At<'_>) {
                $(self.$check(at);)?
            }
        }

        impl $crate::Value for $name {
            fn read(&mut self, node: &$crate::Node, reader: &mut $crate::Reader) {
                $crate::read_record(self, node, reader);
            }

            fn clear(&mut self) {
                $($crate::Value::clear(&mut self.$field);)*
            }

            fn is_empty(&self) -> bool {
                let mut fields = $crate::Fields::default();
                $crate::Record::fields(self, &mut fields);
                fields.are_empty()
            }

            fn write(&self) -> $crate::Output {
                let mut fields = $crate::Fields::default();
                $crate::Record::fields(self, &mut fields);
                fields.into_output()
            }

            fn go_type(&self) -> String {
                $go.to_owned()
            }
        }
    };
    (@name $go:literal) => { $go.trim_start_matches('*').to_owned() };
    (@name $go:literal, plain) => { $crate::plain_name($go) };
    (@default) => { Default::default() };
    (@default $default:expr) => { $default };
    (@key $field:ident) => { stringify!($field) };
    (@key $field:ident $key:literal) => { $key };
    (@find $self:ident, $name:ident, $field:ident, $key:expr, inline) => {
        if let Some(found) = $crate::Record::field(&mut $self.$field, $name) {
            return Some(found);
        }
    };
    (@find $self:ident, $name:ident, $field:ident, $key:expr $(, $mode:ident)?) => {
        if $name == $key {
            return Some(&mut $self.$field);
        }
    };
    (@put $self:ident, $fields:ident, $field:ident, $key:expr) => { $fields.put($key, &$self.$field) };
    (@put $self:ident, $fields:ident, $field:ident, $key:expr, always) => { $fields.put_always($key, &$self.$field) };
    (@put $self:ident, $fields:ident, $field:ident, $key:expr, flow) => { $fields.put_flow($key, &$self.$field) };
    (@put $self:ident, $fields:ident, $field:ident, $key:expr, inline) => {
        $crate::Record::fields(&$self.$field, $fields)
    };
}
