//! The cases of `shared/conformance` about text formats.

use std::path::Path;

use exposition::{Format, Item, Options, ParseError, Parser, Sample};
use model::{Labels, format_float};
use serde_json::{Value, json};

/// Samples with the starts that they are told, as the expected entries have them.
const OPTIONS: Options = Options {
    start_timestamps: true,
    ignore_native_histograms: false,
    keep_classic_histograms: false,
    convert_classic_histograms: false,
};

fn cases(name: &str) -> Option<Vec<Value>> {
    let text = testkit::read_shared(&format!("conformance/textparse/{name}"))?;
    Some(serde_json::from_str(&text).expect("cases are JSON"))
}

fn format(case: &Value) -> Format {
    if case["format"] == "openmetrics" { Format::OpenMetrics } else { Format::Text }
}

fn input(case: &Value) -> Vec<u8> {
    match case["input_hex"].as_str() {
        Some(hex) => (0..hex.len() / 2)
            .map(|at| u8::from_str_radix(&hex[2 * at..2 * at + 2], 16).expect("bytes are hexadecimal"))
            .collect(),
        None => case["input"].as_str().unwrap_or_default().as_bytes().to_vec(),
    }
}

#[test]
fn pages_have_the_expected_entries() {
    let Some(cases) = cases("parse_ok.json") else { return };
    let check = |case: &Value| {
        let entries = entries(&input(case), format(case)).map_err(|error| error.to_string())?;
        let expected = case["entries"].as_array().map(Vec::as_slice).unwrap_or_default();
        for (found, expected) in entries.iter().zip(expected) {
            for (key, value) in expected.as_object().into_iter().flatten() {
                if found[key] != field(key, value) {
                    return Err(format!("{}: {key} of {expected}, got {found}", case["id"]));
                }
            }
        }
        if entries.len() == expected.len() {
            Ok(())
        } else {
            Err(format!("{}: {} entries of {}", case["id"], entries.len(), expected.len()))
        }
    };
    testkit::check_cases("parse_ok.json", &cases, check);
}

#[test]
fn pages_fail_with_the_expected_messages() {
    let Some(cases) = cases("parse_errors.json") else {
        return;
    };
    let check = |case: &Value| {
        let found = entries(&input(case), format(case)).err().map(|error| error.to_string());
        if case["error"].as_str() == found.as_deref() { Ok(()) } else { Err(format!("{case}: got {found:?}")) }
    };
    testkit::check_cases("parse_errors.json", &cases, check);
}

#[test]
fn open_metrics_pages_are_read() {
    let mut cases = testkit::shared_files("conformance/openmetrics", "");
    cases.retain(|case| case.join("test.json").is_file());
    let mut lenient = 0;
    for case in &cases {
        let expected: Value = serde_json::from_slice(&read(&case.join("test.json"))).expect("cases are JSON");
        let page = read(&case.join("metrics"));
        lenient += usize::from(expected["shouldParse"] == false && entries(&page, Format::OpenMetrics).is_ok());
    }
    // The corpus is for strict parsers. What is good must be read; what is bad is often read too, as in Prometheus.
    println!("openmetrics: {lenient} bad pages of {} cases are read", cases.len());
    testkit::check_cases("openmetrics", &cases, |case| {
        let expected: Value = serde_json::from_slice(&read(&case.join("test.json"))).expect("cases are JSON");
        match entries(&read(&case.join("metrics")), Format::OpenMetrics) {
            Err(error) if expected["shouldParse"] == true => Err(format!("{}: {error}", case.display())),
            _ => Ok(()),
        }
    });
}

#[test]
fn larger_pages_have_the_known_counts() {
    for (name, format, samples, exemplars) in [
        ("alltypes.237mfs.prom.txt", Format::Text, 1857, 0),
        ("alltypes.237mfs.nometa.prom.txt", Format::Text, 1857, 0),
        ("alltypes.5mfs.om.txt", Format::OpenMetrics, 53, 6),
        ("1histogram.om.txt", Format::OpenMetrics, 42, 0),
    ] {
        let Some(text) = testkit::read_shared(&format!("conformance/textparse/{name}")) else { return };
        let page = text.into_bytes();
        let mut parser = Parser::new(&page, format, Options::default());
        let mut found = (0, 0);
        while let Some(item) = parser.next().expect("the page is fine") {
            if let Item::Sample(sample) = item {
                found = (found.0 + 1, found.1 + sample.exemplars().count());
            }
        }
        assert_eq!(found, (samples, exemplars), "{name}");
    }
}

fn read(path: &Path) -> Vec<u8> {
    std::fs::read(path).expect("the file was there a moment ago")
}

/// All entries of a page, in the form of the cases.
fn entries(page: &[u8], format: Format) -> Result<Vec<Value>, ParseError> {
    let mut parser = Parser::new(page, format, OPTIONS);
    let mut entries = Vec::new();
    while let Some(item) = parser.next()? {
        entries.push(match item {
            Item::Type { family, metric_type } => json!({ "name": family, "type": metric_type.as_str() }),
            Item::Help { family, help } => json!({ "name": family, "help": help }),
            Item::Unit { family, unit } => json!({ "name": family, "unit": unit }),
            Item::Comment(comment) => json!({ "comment": comment }),
            Item::Sample(sample) => show(sample),
        });
    }
    Ok(entries)
}

fn show(mut sample: Sample<'_>) -> Value {
    let exemplar = |exemplar: exposition::Exemplar<'_>| {
        let mut shown = json!({ "labels": labels(&exemplar.labels()), "value": number(exemplar.value) });
        if let Some(timestamp) = exemplar.timestamp {
            shown["timestamp_ms"] = timestamp.0.into();
        }
        shown
    };
    let model::Value::Float(value) = sample.value else {
        return Value::Null;
    };
    let plain = sample.series.labels();
    sample.series.tell_type_and_unit();
    json!({
        "labels": labels(&plain),
        "labels_type_and_unit": labels(&sample.series.labels()),
        "value": number(value),
        "timestamp_ms": sample.timestamp.map(|time| time.0),
        "start_timestamp_ms": sample.start_timestamp.map(|time| time.0),
        "exemplars": sample.exemplars().map(exemplar).collect::<Vec<_>>(),
    })
}

fn labels(labels: &Labels) -> Value {
    labels.iter().map(|(name, value)| (name.to_owned(), Value::from(value))).collect()
}

/// Numbers as texts, so that 1 and 1.0 are the same.
fn number(value: f64) -> Value {
    format_float(value).into()
}

fn normal(value: &Value) -> Value {
    match value {
        Value::Number(number) if number.is_f64() => format_float(number.as_f64().unwrap_or_default()).into(),
        Value::Array(items) => items.iter().map(normal).collect(),
        Value::Object(fields) => fields.iter().map(|(key, value)| (key.clone(), field(key, value))).collect(),
        other => other.clone(),
    }
}

fn field(key: &str, value: &Value) -> Value {
    match (key, value.as_f64()) {
        ("value", Some(value)) => number(value),
        _ => normal(value),
    }
}
