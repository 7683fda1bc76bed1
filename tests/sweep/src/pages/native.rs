//! Native histograms as messages of `io.prometheus.client`, which has no other way to be scraped.

/// A message that is being written, by the numbers of its fields.
#[derive(Default)]
pub(super) struct Message(Vec<u8>);

impl Message {
    pub(super) fn into_bytes(self) -> Vec<u8> {
        self.0
    }

    /// A message behind its length.
    pub(super) fn delimited(&mut self, message: &Self) {
        self.varint(message.0.len() as u64);
        self.0.extend_from_slice(&message.0);
    }

    fn message(mut self, field: u64, message: &Self) -> Self {
        self.varint(field << 3 | 2);
        self.delimited(message);
        self
    }

    fn text(self, field: u64, text: &str) -> Self {
        self.message(field, &Self(text.into()))
    }

    fn whole(mut self, field: u64, value: u64) -> Self {
        self.varint(field << 3);
        self.varint(value);
        self
    }

    /// A number with a sign, in zigzag.
    fn signed(self, field: u64, value: i64) -> Self {
        self.whole(field, (value << 1 ^ value >> 63) as u64)
    }

    fn float(mut self, field: u64, value: f64) -> Self {
        self.varint(field << 3 | 1);
        self.0.extend_from_slice(&value.to_le_bytes());
        self
    }

    fn varint(&mut self, mut value: u64) {
        while value >= 128 {
            self.0.push(value as u8 | 128);
            value >>= 7;
        }
        self.0.push(value as u8);
    }
}

/// A family with one histogram, which has a bucket below zero and two spans above; `kind` is 4, or 5 for a gauge.
pub(super) fn histogram_family(name: &str, kind: u64, time_ms: i64, n: i64) -> Message {
    let span = |offset, length| Message::default().signed(1, offset).whole(2, length);
    let histogram = Message::default()
        .whole(1, 6 * n as u64 + 1)
        .float(2, 3.5 * n as f64)
        .signed(5, 2)
        .float(6, 0.001)
        .whole(7, 1)
        .message(9, &span(0, 1))
        .signed(10, n)
        .message(12, &span(-1, 2))
        .message(12, &span(2, 1))
        .signed(13, n)
        .signed(13, n)
        .signed(13, 0);
    let label = Message::default().text(1, "x").text(2, "1");
    let metric = Message::default().message(1, &label).whole(6, time_ms as u64).message(7, &histogram);
    Message::default().text(1, name).text(2, "Native").whole(3, kind).message(4, &metric)
}
