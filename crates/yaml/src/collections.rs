//! Optional values, lists and maps.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use crate::node::{Content, Node};
use crate::output::Output;
use crate::reader::Reader;
use crate::{Text, Value};

impl<T: Value + Default> Value for Option<T> {
    fn read(&mut self, node: &Node, reader: &mut Reader) {
        reader.read(node, self.get_or_insert_default());
    }

    fn clear(&mut self) {
        *self = None;
    }

    fn is_empty(&self) -> bool {
        self.is_none()
    }

    fn write(&self) -> Output {
        self.as_ref().map_or_else(|| Output::Plain("null".to_owned()), Value::write)
    }

    fn go_type(&self) -> String {
        format!("*{}", T::default().go_type())
    }
}

impl<T: Value + Default> Value for Vec<T> {
    fn read(&mut self, node: &Node, reader: &mut Reader) {
        let Content::Sequence(items) = &node.content else {
            return reader.wrong_type(node, &self.go_type());
        };
        self.clear();
        for (index, item) in items.iter().enumerate() {
            let mut value = T::default();
            reader.in_item(index, |reader| reader.read(item, &mut value));
            self.push(value);
        }
    }

    fn clear(&mut self) {
        self.clear();
    }

    fn is_empty(&self) -> bool {
        self.is_empty()
    }

    fn write(&self) -> Output {
        Output::List(self.iter().map(Value::write).collect())
    }

    fn go_type(&self) -> String {
        format!("[]{}", T::default().go_type())
    }
}

/// Keys are texts that may have a form of their own. A key that is there already is a mistake, merged ones included.
impl<K: Text + Ord, V: Value + Default> Value for BTreeMap<K, V> {
    fn read(&mut self, node: &Node, reader: &mut Reader) {
        let Content::Mapping(entries) = &node.content else {
            return reader.wrong_type(node, &self.go_type());
        };
        for (key_node, value_node) in entries {
            if key_node.is_merge() {
                let merged: Vec<_> = value_node.merged().collect();
                merged.into_iter().rev().for_each(|merged| self.read(merged, reader));
                continue;
            }
            let Some(text) = reader.text::<K>(key_node) else { continue };
            let key = match K::parse(&text) {
                Ok(key) => key,
                Err(message) => {
                    reader.invalid(key_node, message);
                    continue;
                }
            };
            let mut value = V::default();
            reader.in_key(&text, |reader| reader.read(value_node, &mut value));
            match self.entry(key) {
                Entry::Vacant(entry) => {
                    entry.insert(value);
                }
                Entry::Occupied(_) => {
                    reader.misshapen(value_node, format!("key {} already set in map", model::quote(&text)));
                }
            }
        }
    }

    fn clear(&mut self) {
        self.clear();
    }

    fn is_empty(&self) -> bool {
        self.is_empty()
    }

    fn write(&self) -> Output {
        Output::map(self.iter().map(|(key, value)| (key.print(), value.write())))
    }

    fn go_type(&self) -> String {
        format!("map[{}]{}", K::GO_TYPE, V::default().go_type())
    }
}
