//! The baseline: values by exclusive or with the one before, as in Facebook's Gorilla (VLDB 2015, section 4.1.2) with the
//! field widths of Prometheus.

/// Bits, the highest of a byte first.
#[derive(Default)]
struct Writer {
    bytes: Vec<u8>,
    word: u64,
    free: u32,
}

impl Writer {
    fn put(&mut self, value: u64, width: u32) {
        if width <= self.free {
            self.free -= width;
            self.word |= value << self.free;
        } else {
            let over = width - self.free;
            let word = self.word | value >> over;
            self.bytes.extend_from_slice(&word.to_be_bytes());
            self.free = 64 - over;
            self.word = if over == 64 { value } else { value << self.free };
        }
    }
}

struct Reader<'a> {
    bytes: &'a [u8],
    position: usize,
}

impl Reader<'_> {
    fn take(&mut self, width: u32) -> u64 {
        let mut word = [0; 16];
        let start = self.position / 8;
        let end = self.bytes.len().min(start + 16);
        word[..end - start].copy_from_slice(&self.bytes[start..end]);
        let shifted = u128::from_be_bytes(word) << (self.position % 8);
        self.position += width as usize;
        (shifted >> (128 - width)) as u64
    }
}

pub(crate) fn encode(values: &[f64]) -> Vec<u8> {
    let mut writer = Writer { free: 64, ..Writer::default() };
    writer.put(values[0].to_bits(), 64);
    let (mut leading, mut trailing) = (64, 64);
    for pair in values.windows(2) {
        let xor = pair[0].to_bits() ^ pair[1].to_bits();
        if xor == 0 {
            writer.put(0, 1);
            continue;
        }
        if xor.leading_zeros() >= leading && xor.trailing_zeros() >= trailing {
            writer.put(0b10, 2);
        } else {
            leading = xor.leading_zeros().min(31);
            trailing = xor.trailing_zeros();
            let significant = u64::from(64 - leading - trailing) % 64;
            writer.put(0b11 << 11 | u64::from(leading) << 6 | significant, 13);
        }
        writer.put(xor >> trailing, 64 - leading - trailing);
    }
    let used = (64 - writer.free).div_ceil(8) as usize;
    writer.bytes.extend_from_slice(&writer.word.to_be_bytes()[..used]);
    writer.bytes
}

pub(crate) fn decode(bytes: &[u8], values: &mut [f64]) {
    let mut reader = Reader { bytes, position: 0 };
    let mut bits = reader.take(64);
    let (mut width, mut trailing) = (0, 0);
    values[0] = f64::from_bits(bits);
    for value in &mut values[1..] {
        if reader.take(1) == 1 {
            if reader.take(1) == 1 {
                let leading = reader.take(5) as u32;
                width = match reader.take(6) as u32 {
                    0 => 64,
                    width => width,
                };
                trailing = 64 - leading - width;
            }
            bits ^= reader.take(width) << trailing;
        }
        *value = f64::from_bits(bits);
    }
}
