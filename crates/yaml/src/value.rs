//! What can be read from a node and written again.

use crate::node::Node;
use crate::output::Output;
use crate::reader::Reader;
use crate::scalar::Scalar;

/// A setting, or a group of them.
///
/// What Go calls a zero value is called empty here: what a value is when the document says null, and what is left out
/// when the value is written, unless it is always written.
pub trait Value {
    /// Takes the value of `node`, which is not null. What is wrong is noted with `reader`.
    fn read(&mut self, node: &Node, reader: &mut Reader);

    /// Empties the value.
    fn clear(&mut self);

    /// Whether the value is empty.
    fn is_empty(&self) -> bool;

    /// The value as it is written, with secrets hidden.
    fn write(&self) -> Output;

    /// The name of the Go type that Prometheus has for this, which it names in messages.
    fn go_type(&self) -> String;
}

impl Value for bool {
    fn read(&mut self, node: &Node, reader: &mut Reader) {
        match reader.scalar(node, "bool") {
            Some(Scalar::Bool(value)) => *self = value,
            Some(_) => reader.wrong_type(node, "bool"),
            None => {}
        }
    }

    fn clear(&mut self) {
        *self = false;
    }

    fn is_empty(&self) -> bool {
        !*self
    }

    fn write(&self) -> Output {
        Output::Plain(self.to_string())
    }

    fn go_type(&self) -> String {
        "bool".to_owned()
    }
}

impl Value for i64 {
    fn read(&mut self, node: &Node, reader: &mut Reader) {
        match reader.scalar(node, "int") {
            Some(Scalar::Int(value)) => *self = value,
            // As Go does it: towards zero.
            Some(Scalar::Float(value)) if value.abs() <= i64::MAX as f64 => *self = value as Self,
            Some(_) => reader.wrong_type(node, "int"),
            None => {}
        }
    }

    fn clear(&mut self) {
        *self = 0;
    }

    fn is_empty(&self) -> bool {
        *self == 0
    }

    fn write(&self) -> Output {
        Output::Plain(self.to_string())
    }

    fn go_type(&self) -> String {
        "int".to_owned()
    }
}

impl Value for u64 {
    fn read(&mut self, node: &Node, reader: &mut Reader) {
        match reader.scalar(node, "uint") {
            Some(Scalar::Int(value)) if value >= 0 => *self = value.unsigned_abs(),
            Some(Scalar::Uint(value)) => *self = value,
            Some(Scalar::Float(value)) if (0.0..=u64::MAX as f64).contains(&value) => *self = value as Self,
            Some(_) => reader.wrong_type(node, "uint"),
            None => {}
        }
    }

    fn clear(&mut self) {
        *self = 0;
    }

    fn is_empty(&self) -> bool {
        *self == 0
    }

    fn write(&self) -> Output {
        Output::Plain(self.to_string())
    }

    fn go_type(&self) -> String {
        "uint".to_owned()
    }
}

impl Value for f64 {
    fn read(&mut self, node: &Node, reader: &mut Reader) {
        match reader.scalar(node, "float64") {
            Some(Scalar::Int(value)) => *self = value as Self,
            Some(Scalar::Uint(value)) => *self = value as Self,
            Some(Scalar::Float(value)) => *self = value,
            Some(_) => reader.wrong_type(node, "float64"),
            None => {}
        }
    }

    fn clear(&mut self) {
        *self = 0.0;
    }

    fn is_empty(&self) -> bool {
        *self == 0.0
    }

    fn write(&self) -> Output {
        Output::Plain(match *self {
            value if value.is_nan() => ".nan".to_owned(),
            f64::INFINITY => ".inf".to_owned(),
            f64::NEG_INFINITY => "-.inf".to_owned(),
            value => model::format_float_g(value),
        })
    }

    fn go_type(&self) -> String {
        "float64".to_owned()
    }
}

impl Value for String {
    fn read(&mut self, node: &Node, reader: &mut Reader) {
        if let Some(text) = reader.text::<Self>(node) {
            *self = text;
        }
    }

    fn clear(&mut self) {
        self.clear();
    }

    fn is_empty(&self) -> bool {
        self.is_empty()
    }

    fn write(&self) -> Output {
        Output::Text(self.clone())
    }

    fn go_type(&self) -> String {
        "string".to_owned()
    }
}
