//! Pages of real exporters, as rows and as columns.

use std::fs;

use chunk::{floats, row};

/// The values of a page, roughly: what follows the labels, or else the name.
fn values(page: &str) -> Vec<f64> {
    let value = |line: &str| {
        let series = line.rfind('}').or_else(|| line.find(' '))?;
        line[series + 1..].split_whitespace().next()?.parse().ok()
    };
    page.lines().filter(|line| !line.starts_with('#')).filter_map(value).collect()
}

#[test]
fn pages_read_back() {
    for path in testkit::shared_files("corpus/expositions", "") {
        let page = fs::read_to_string(&path).unwrap_or_default();
        let values = values(&page);
        if values.is_empty() {
            continue;
        }
        let mut bytes = Vec::new();
        row::encode(&values, None, None, &mut bytes);
        let mut decoded = vec![7.0; values.len()];
        row::decode(&bytes, None, &mut decoded).unwrap();
        check(&values, &decoded);
        let size = bytes.len() as f64 / values.len() as f64;
        println!("{:5} values, {size:.2} bytes each: {}", values.len(), path.display());
        // Unlike values make a poor column, but it must read back too.
        for column in values.chunks(480) {
            bytes.clear();
            floats::encode(column, &mut bytes);
            let mut decoded = vec![7.0; column.len()];
            floats::decode(&bytes, &mut decoded).unwrap();
            check(column, &decoded);
        }
    }
}

#[track_caller]
fn check(values: &[f64], decoded: &[f64]) {
    assert!(values.iter().map(|value| value.to_bits()).eq(decoded.iter().map(|value| value.to_bits())));
}
