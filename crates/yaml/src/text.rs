//! Values that are written as texts of a certain form.

use std::time::Duration;

/// A value that users write as a text of a certain form. [`as_text!`](crate::as_text) makes it a [`Value`](crate::Value).
pub trait Text: Sized {
    /// The Go type that Prometheus reads the text into.
    const GO_TYPE: &'static str = "string";

    /// What a text of this kind is called in messages about bytes that are no text.
    const NOUN: &'static str = "text";

    /// Reads a text.
    ///
    /// # Errors
    /// What is wrong with it, in Prometheus' words.
    fn parse(text: &str) -> Result<Self, String>;

    /// The text for this value.
    fn print(&self) -> String;

    /// What null means.
    fn empty() -> Self;
}

impl Text for String {
    fn parse(text: &str) -> Result<Self, String> {
        Ok(text.to_owned())
    }

    fn print(&self) -> String {
        self.clone()
    }

    fn empty() -> Self {
        Self::new()
    }
}

/// A duration as Prometheus writes it: `1h30m`. Whole milliseconds.
impl Text for Duration {
    fn parse(text: &str) -> Result<Self, String> {
        let ms = model::parse_duration(text).map_err(|error| error.to_string())?;
        Ok(Self::from_millis(ms.unsigned_abs()))
    }

    fn print(&self) -> String {
        model::format_duration(i64::try_from(self.as_millis()).unwrap_or(i64::MAX))
    }

    fn empty() -> Self {
        Self::ZERO
    }
}

/// Makes a [`Text`] that has equality a [`Value`](crate::Value).
#[macro_export]
macro_rules! as_text {
    ($type:ty) => {
        impl $crate::Value for $type {
            fn read(&mut self, node: &$crate::Node, reader: &mut $crate::Reader) {
                let Some(text) = reader.text::<Self>(node) else { return };
                match <Self as $crate::Text>::parse(&text) {
                    Ok(value) => *self = value,
                    Err(message) => reader.invalid(node, message),
                }
            }

            fn clear(&mut self) {
                *self = <Self as $crate::Text>::empty();
            }

            fn is_empty(&self) -> bool {
                *self == <Self as $crate::Text>::empty()
            }

            fn write(&self) -> $crate::Output {
                $crate::Output::Text(<Self as $crate::Text>::print(self))
            }

            fn go_type(&self) -> String {
                <Self as $crate::Text>::GO_TYPE.to_owned()
            }
        }
    };
}

as_text!(Duration);
