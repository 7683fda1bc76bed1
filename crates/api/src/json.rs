//! JSON as Prometheus writes it, straight into a buffer.

mod float;
mod histogram;
mod read;
mod text;

use model::{Labels, Timestamp};

pub(crate) use read::read_texts;

/// A JSON text that is being written, from front to back. Commas come by themselves.
///
/// Numbers and texts have the forms that Prometheus gives them, down to which characters are escaped.
#[derive(Debug, Default)]
pub(crate) struct Json {
    bytes: Vec<u8>,
    /// Whether the next value, or the next key, follows another one.
    follows: bool,
}

/// What can be written as JSON.
pub(crate) trait ToJson {
    fn write(&self, json: &mut Json);
}

/// A text that is JSON already.
pub(crate) struct Raw<'a>(pub(crate) &'a str);

impl Json {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// What has been written.
    pub(crate) fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }

    /// How many bytes have been written since the last [`Self::take`].
    pub(crate) fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Gives away what has been written, leaving an empty buffer to go on in.
    pub(crate) fn take(&mut self) -> Vec<u8> {
        // About as much will follow, most likely.
        let next = Vec::with_capacity(self.bytes.len() + self.bytes.len() / 8);
        std::mem::replace(&mut self.bytes, next)
    }

    pub(crate) fn open_object(&mut self) {
        self.open(b'{');
    }

    pub(crate) fn close_object(&mut self) {
        self.close(b'}');
    }

    pub(crate) fn open_array(&mut self) {
        self.open(b'[');
    }

    pub(crate) fn close_array(&mut self) {
        self.close(b']');
    }

    /// An object with the members that `members` writes.
    pub(crate) fn object(&mut self, members: impl FnOnce(&mut Self)) {
        self.open_object();
        members(self);
        self.close_object();
    }

    /// A list of values.
    pub(crate) fn list<T: ToJson>(&mut self, values: impl IntoIterator<Item = T>) {
        self.open_array();
        for value in values {
            value.write(self);
        }
        self.close_array();
    }

    /// The key of a member, which has nothing to escape; its value is to be written next.
    pub(crate) fn key(&mut self, key: &'static str) -> &mut Self {
        self.start_value();
        self.bytes.push(b'"');
        self.bytes.extend_from_slice(key.as_bytes());
        self.bytes.extend_from_slice(b"\":");
        self.follows = false;
        self
    }

    /// A key that is data.
    pub(crate) fn key_text(&mut self, key: &str) -> &mut Self {
        self.text(key);
        self.bytes.push(b':');
        self.follows = false;
        self
    }

    /// A key that is data and, like labels, is written as it is.
    pub(crate) fn plain_key(&mut self, key: &str) -> &mut Self {
        self.plain_text(key);
        self.bytes.push(b':');
        self.follows = false;
        self
    }

    /// A member of an object.
    pub(crate) fn member(&mut self, key: &'static str, value: impl ToJson) {
        self.key(key);
        value.write(self);
    }

    /// A text. As in Prometheus, characters that mean something in HTML are escaped.
    pub(crate) fn text(&mut self, text: &str) {
        self.start_value();
        text::push_for_html(&mut self.bytes, text);
    }

    /// A text in a label or among the names of features: these are the ones that Prometheus writes as they are.
    pub(crate) fn plain_text(&mut self, text: &str) {
        self.start_value();
        text::push(&mut self.bytes, text);
    }

    /// A text that is JSON already.
    pub(crate) fn raw(&mut self, json: &str) {
        self.start_value();
        self.bytes.extend_from_slice(json.as_bytes());
    }

    pub(crate) fn integer(&mut self, value: impl itoa::Integer) {
        self.start_value();
        self.bytes.extend_from_slice(itoa::Buffer::new().format(value).as_bytes());
    }

    /// A number; `null` for what JSON has no number for.
    pub(crate) fn number(&mut self, value: f64) {
        self.start_value();
        if value.is_finite() {
            float::push(&mut self.bytes, value);
        } else {
            self.bytes.extend_from_slice(b"null");
        }
    }

    /// A sample's value, which is a text: `"1.5"`, `"+Inf"`.
    pub(crate) fn sample_value(&mut self, value: f64) {
        self.start_value();
        self.bytes.push(b'"');
        float::push(&mut self.bytes, value);
        self.bytes.push(b'"');
    }

    /// A sample: its time, which is JSON already, and its value.
    pub(crate) fn sample(&mut self, time: &str, value: f64) {
        self.start_value();
        self.bytes.push(b'[');
        self.bytes.extend_from_slice(time.as_bytes());
        self.bytes.extend_from_slice(b",\"");
        float::push(&mut self.bytes, value);
        self.bytes.extend_from_slice(b"\"]");
    }

    /// A time in seconds: whole, or with three decimals.
    pub(crate) fn time(&mut self, time: Timestamp) {
        self.start_value();
        float::push_time(&mut self.bytes, time.as_ms());
    }

    /// A time in seconds with as many decimals as it needs: the form in scalars and statistics.
    pub(crate) fn short_time(&mut self, time: Timestamp) {
        self.number(time.as_ms() as f64 / 1000.0);
    }

    fn open(&mut self, bracket: u8) {
        self.start_value();
        self.bytes.push(bracket);
        self.follows = false;
    }

    fn close(&mut self, bracket: u8) {
        self.bytes.push(bracket);
        self.follows = true;
    }

    fn start_value(&mut self) {
        if self.follows {
            self.bytes.push(b',');
        }
        self.follows = true;
    }
}

/// The JSON of one value.
pub(crate) fn to_bytes(value: impl ToJson) -> Vec<u8> {
    let mut json = Json::new();
    value.write(&mut json);
    json.into_bytes()
}

impl<T: ToJson + ?Sized> ToJson for &T {
    fn write(&self, json: &mut Json) {
        (**self).write(json);
    }
}

impl ToJson for Raw<'_> {
    fn write(&self, json: &mut Json) {
        json.raw(self.0);
    }
}

impl ToJson for str {
    fn write(&self, json: &mut Json) {
        json.text(self);
    }
}

impl ToJson for String {
    fn write(&self, json: &mut Json) {
        json.text(self);
    }
}

impl ToJson for bool {
    fn write(&self, json: &mut Json) {
        json.raw(if *self { "true" } else { "false" });
    }
}

impl ToJson for f64 {
    fn write(&self, json: &mut Json) {
        json.number(*self);
    }
}

impl ToJson for i64 {
    fn write(&self, json: &mut Json) {
        json.integer(*self);
    }
}

impl ToJson for u64 {
    fn write(&self, json: &mut Json) {
        json.integer(*self);
    }
}

/// Nothing is `null`.
impl<T: ToJson> ToJson for Option<T> {
    fn write(&self, json: &mut Json) {
        match self {
            Some(value) => value.write(json),
            None => json.raw("null"),
        }
    }
}

impl<T: ToJson> ToJson for [T] {
    fn write(&self, json: &mut Json) {
        json.list(self);
    }
}

impl<T: ToJson> ToJson for Vec<T> {
    fn write(&self, json: &mut Json) {
        json.list(self);
    }
}

/// An object, in order of the labels' names.
impl ToJson for Labels {
    fn write(&self, json: &mut Json) {
        json.open_object();
        for (name, value) in self.iter() {
            json.plain_key(name).plain_text(value);
        }
        json.close_object();
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn commas_stand_between_values_and_members() {
        let mut json = Json::new();
        json.object(|json| {
            json.member("a", [1i64, 2].as_slice());
            json.member("b", None::<bool>);
            json.key("c").object(|_| {});
            json.key_text("d<").list([true, false]);
        });
        let expected = r#"{"a":[1,2],"b":null,"c":{},"d\u003c":[true,false]}"#;
        assert_eq!(String::from_utf8(json.into_bytes()).unwrap(), expected);
    }

    #[test]
    fn times_are_whole_or_have_three_decimals() {
        for (ms, long, short) in [
            (0, "0", "0"),
            (1_435_781_460_000, "1435781460", "1435781460"),
            (1_435_781_451_780, "1435781451.780", "1435781451.78"),
            (50, "0.050", "0.05"),
            (-1, "-0.001", "-0.001"),
            (-1500, "-1.500", "-1.5"),
            (i64::MIN, "-9223372036854775.808", "-9223372036854776"),
        ] {
            let mut json = Json::new();
            json.time(Timestamp(ms));
            json.short_time(Timestamp(ms));
            assert_eq!(String::from_utf8(json.into_bytes()).unwrap(), format!("{long},{short}"));
        }
    }

    proptest! {
        #[test]
        fn any_text_can_be_read_back(text: String) {
            let mut json = Json::new();
            json.open_array();
            json.text(&text);
            json.plain_text(&text);
            json.close_array();
            let read: Vec<String> = serde_json::from_slice(&json.into_bytes()).unwrap();
            prop_assert_eq!(read, [text.clone(), text]);
        }
    }
}
