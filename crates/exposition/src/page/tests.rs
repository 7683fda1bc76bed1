use proptest::prelude::*;

use super::*;
use crate::item::Item;
use crate::parser::Parser;

/// What a page says: for each sample its labels, start, value, timestamp and exemplar.
#[derive(Debug, Default, PartialEq)]
struct Content {
    series: Vec<(String, Option<Timestamp>)>,
    values: Vec<u64>,
    timestamps: Vec<Option<Timestamp>>,
    exemplars: Vec<(usize, String)>,
}

fn parse(page: &[u8], format: Format, options: Options) -> Result<Content, ParseError> {
    let mut parser = Parser::new(page, format, options);
    let mut content = Content::default();
    while let Some(item) = parser.next()? {
        let Item::Sample(sample) = item else { continue };
        let model::Value::Float(value) = sample.value else {
            continue;
        };
        let exemplars = sample.exemplars().map(|exemplar| (content.values.len(), show(&exemplar)));
        content.exemplars.extend(exemplars);
        content.series.push((sample.series.labels().to_string(), sample.start_timestamp));
        content.values.push(value.to_bits());
        content.timestamps.push(sample.timestamp);
    }
    Ok(content)
}

fn show(exemplar: &Exemplar<'_>) -> String {
    format!("{} {} {:?}", exemplar.labels(), exemplar.value, exemplar.timestamp)
}

/// Checks that a page of a known shape, if the reader says that it is one, is what the parser says it is.
#[track_caller]
fn check(
    reader: &mut PageReader,
    shape: &Shape,
    first: &Content,
    page: &[u8],
    format: Format,
    options: Options,
) -> bool {
    let Some(columns) = reader.read(page, shape) else {
        return false;
    };
    let parsed = parse(page, format, options).expect("what has a known shape can be read");
    assert_eq!(parsed.series, first.series);
    let values: Vec<_> = columns.values().iter().map(|value| value.to_bits()).collect();
    assert_eq!(values, parsed.values);
    if columns.timestamps().is_empty() {
        assert!(parsed.timestamps.iter().all(Option::is_none));
    } else {
        assert_eq!(columns.timestamps(), parsed.timestamps);
    }
    let exemplars: Vec<_> = columns.exemplars().map(|(sample, exemplar)| (sample, show(&exemplar))).collect();
    assert_eq!(exemplars, parsed.exemplars);
    true
}

/// Whether `next` has the shape of `first`.
#[track_caller]
fn same_shape(format: Format, start_timestamps: bool, first: &str, next: &str) -> bool {
    let options = Options { start_timestamps, ..Options::default() };
    let mut reader = PageReader::new(1);
    let shape = reader.shape(first.as_bytes(), format, options).unwrap().unwrap();
    let content = parse(first.as_bytes(), format, options).unwrap();
    check(&mut reader, &shape, &content, next.as_bytes(), format, options)
}

#[test]
fn only_numbers_may_change() {
    let first = "# HELP a b\na 1\nb{c=\"d e\"} -2.5e+07\n\nb{c=\"}\"}\t+Inf\n";
    let same = |next| same_shape(Format::Text, false, first, next);
    assert!(same(first));
    assert!(same("# HELP a b\na NaN\nb{c=\"d e\"} 12345678901234567890\n\nb{c=\"}\"}\t0.1\n"));
    assert!(!same("# HELP a c\na 1\nb{c=\"d e\"} 2\n\nb{c=\"}\"}\t3\n"));
    assert!(!same("# HELP a b\na 1\nb{c=\"d f\"} 2\n\nb{c=\"}\"}\t3\n"));
    assert!(!same("# HELP a b\na 1\nb{c=\"d e\"} 2\n\nb{c=\"}\"} 3\n"));
    assert!(!same("# HELP a b\na 1 1\nb{c=\"d e\"} 2\n\nb{c=\"}\"}\t3\n"));
    assert!(!same("# HELP a b\na 1\nb{c=\"d e\"} 2\n\nb{c=\"}\"}\t3"));
    assert!(!same("# HELP a b\na 1\nb{c=\"d e\"} x\n\nb{c=\"}\"}\t3\n"));
    assert!(!same("# HELP a b\na 1_0\nb{c=\"d e\"} 2\n\nb{c=\"}\"}\t3\n"));
    assert!(!same(""));
}

#[test]
fn timestamps_are_numbers_too() {
    let same = |first, next| same_shape(Format::Text, false, first, next);
    assert!(same("a 1 5\nb{c=\"d\"} 2  6\n", "a 7 50\nb{c=\"d\"} 8  9223372036854775807\n"));
    assert!(same("a 1\nlong_name_of_a_metric 1 2\nb 3\n", "a 10\nlong_name_of_a_metric 11 12\nb 13\n"));
    assert!(!same("a 1 5\nb 2 6\n", "a 1 5\nb 2\n"));
    assert!(!same("a 1 5\n", "a 1 9223372036854775808\n"));
    assert!(!same("a 1 5\n", "a 1 \n"));
    assert!(!same("a  1\nb 1 1\n", "a 1 1\nb  1\n"));
    let seconds = |next| same_shape(Format::OpenMetrics, false, "a 1 5.5\n# EOF\n", next);
    assert!(seconds("a 2 6e3\n# EOF\n") && !seconds("a 2 NaN\n# EOF\n"));
}

#[test]
fn exemplars_come_and_go() {
    let first = "# TYPE a counter\na_total 1 # {t=\"x\"} 1 2\na_total{b=\"c\"} 1\n# EOF\n";
    let same = |next| same_shape(Format::OpenMetrics, false, first, next);
    assert!(same("# TYPE a counter\na_total 2\na_total{b=\"c\"} 3 # {u=\"é\"} 7\n# EOF\n"));
    assert!(!same("# TYPE a counter\na_total 2\na_total{b=\"c\"} 3 # {u=\"é\"} x\n# EOF\n"));
    assert!(!same("# TYPE a counter\na_total 2\na_total{b=\"c\"} 3 # {u=\"é\"\n# EOF\n"));
}

#[test]
fn start_times_are_part_of_the_shape() {
    let page = |value, created| format!("# TYPE a counter\na_total {value}\na_created {created}\n# EOF\n");
    let same = |first: &str, next: &str| same_shape(Format::OpenMetrics, true, first, next);
    assert!(same(&page(1, 5), &page(2, 5)));
    assert!(!same(&page(1, 5), &page(2, 6)));
}

#[test]
fn odd_pages_are_left_to_the_parser() {
    let options = Options::default();
    let mut reader = PageReader::new(1);
    for page in ["a{b=\"x 5\n# \"} 5\n", "a 1 \n", " # HELP a 5\na 1\n", "a{b=\"c\"}1\n", "a 1\n\0"] {
        parse(page.as_bytes(), Format::Text, options).unwrap();
        let shape = reader.shape(page.as_bytes(), Format::Text, options).unwrap();
        if let Some(shape) = shape {
            let first = parse(page.as_bytes(), Format::Text, options).unwrap();
            assert!(check(&mut reader, &shape, &first, page.as_bytes(), Format::Text, options), "{page:?}");
        }
    }
    let broken_line = "a{b=\"x 5\n# \"} 5\n";
    assert_eq!(reader.shape(broken_line.as_bytes(), Format::Text, options), Ok(None));
    assert!(reader.shape(b"a", Format::Text, options).is_err());
}

#[test]
fn recorded_pages_are_read() {
    let mut pages = 0;
    for path in testkit::shared_files("corpus/expositions", "") {
        if path.is_dir() {
            continue;
        }
        let page = std::fs::read(&path).unwrap();
        let format = if path.to_string_lossy().contains(".om.") { Format::OpenMetrics } else { Format::Text };
        for start_timestamps in [false, true] {
            let options = Options { start_timestamps, ..Options::default() };
            let mut reader = PageReader::new(3);
            let shape = reader.shape(&page, format, options).unwrap();
            let shape = shape.unwrap_or_else(|| panic!("{} has no shape", path.display()));
            let first = parse(&page, format, options).unwrap();
            assert!(check(&mut reader, &shape, &first, &page, format, options));
        }
        pages += 1;
    }
    println!("recorded pages: {pages}");
}

/// Lines of both formats, with holes for numbers and without.
fn line() -> impl Strategy<Value = String> {
    let number = || {
        prop::sample::select(vec![
            "0",
            "1",
            "-2.5",
            "1e+07",
            "NaN",
            "+Inf",
            "123456789.25",
            "7 # {a=\"b\"} 1",
            "5 7",
            "x",
            "",
        ])
    };
    let start = prop::sample::select(vec![
        "a ",
        "a  ",
        "a\t",
        "b{c=\"d\"} ",
        "b{c=\"d e\"} ",
        "b{c=\"1 2",
        "b{c=\"\n",
        "\"} ",
        "# HELP a ",
        "# TYPE a counter\n",
        "#",
        " ",
        "",
        "a_created ",
        "{\"q\"} ",
        "b{c=\"d\"}",
        "\0",
        "a{b=\"x # {y\"} ",
    ]);
    let end = prop::sample::select(vec!["\n", "\n", "\n", "\n", " \n", "", "\n# EOF\n"]);
    (start, number(), end).prop_map(|(start, number, end)| format!("{start}{number}{end}"))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(3000))]

    #[test]
    fn what_has_a_known_shape_is_what_the_parser_says(
        lines in prop::collection::vec((line(), line(), any::<bool>()), 1..6),
        openmetrics: bool,
        start_timestamps: bool,
    ) {
        let format = if openmetrics { Format::OpenMetrics } else { Format::Text };
        let options = Options { start_timestamps, ..Options::default() };
        let end = if openmetrics { "# EOF\n" } else { "" };
        let first = lines.iter().map(|(line, _, _)| line.as_str()).collect::<String>() + end;
        let next = lines.iter().map(|(line, other, same)| if *same { line } else { other }.as_str()).collect::<String>() + end;
        let mut reader = PageReader::new(5);
        if let Ok(Some(shape)) = reader.shape(first.as_bytes(), format, options) {
            let content = parse(first.as_bytes(), format, options).unwrap();
            check(&mut reader, &shape, &content, next.as_bytes(), format, options);
            prop_assert!(check(&mut reader, &shape, &content, first.as_bytes(), format, options));
        }
    }

    #[test]
    fn numbers_change_and_the_shape_stays(
        values in prop::collection::vec((any::<f64>(), any::<f64>(), prop::option::of(0i64..1 << 41)), 1..20),
    ) {
        let page = |second: bool| {
            let line = |(at, (first, other, timestamp)): (usize, &(f64, f64, Option<i64>))| {
                let value = if second { other } else { first };
                let timestamp = timestamp.map(|t| format!(" {}", if second { t / 3 } else { t })).unwrap_or_default();
                format!("metric_{at}{{a=\"b {at}\"}} {value:?}{timestamp}\n")
            };
            values.iter().enumerate().map(line).collect::<String>()
        };
        prop_assert!(same_shape(Format::Text, false, &page(false), &page(true)));
    }

    #[test]
    fn any_bytes_have_a_shape_or_none(bytes in prop::collection::vec(any::<u8>(), 0..60), openmetrics: bool) {
        let format = if openmetrics { Format::OpenMetrics } else { Format::Text };
        let mut reader = PageReader::new(5);
        let _ = reader.shape(&bytes, format, Options::default());
        let shape = reader.shape(b"a 1\n", Format::Text, Options::default()).unwrap().unwrap();
        reader.read(&bytes, &shape);
    }
}
