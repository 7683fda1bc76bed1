//! The older text format.

/// Writes a page of OpenMetrics as one of the text format 0.0.4, which everything reads.
///
/// The page is one that a [`Registry`](crate::Registry) wrote: it has no exemplars and no times. The formats then differ in
/// what counters and infos are called where they are described, in the names of two types, and in how a page ends.
pub fn to_text_format(open_metrics: &str) -> String {
    let mut text = String::with_capacity(open_metrics.len());
    // The type of a family, which decides its name, comes behind its help.
    let mut help = None;
    for line in open_metrics.lines() {
        let mut words = line.splitn(4, ' ');
        match (words.next(), words.next(), words.next(), words.next()) {
            (Some("#"), Some("HELP"), Some(name), explanation) => help = Some((name, explanation.unwrap_or_default())),
            (Some("#"), Some("TYPE"), Some(name), Some(metric_type)) => {
                let (suffix, metric_type) = match metric_type {
                    "counter" => ("_total", "counter"),
                    "info" => ("_info", "gauge"),
                    "unknown" => ("", "untyped"),
                    other => ("", other),
                };
                if let Some((_, explanation)) = help.take().filter(|(of, _)| *of == name) {
                    text.extend(["# HELP ", name, suffix, " ", explanation, "\n"]);
                }
                text.extend(["# TYPE ", name, suffix, " ", metric_type, "\n"]);
            }
            (Some("#"), ..) => {}
            _ => text.extend([line, "\n"]),
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counters_are_described_by_the_name_of_their_samples() {
        let page = "# HELP a Of a.\n# TYPE a counter\na_total{b=\"# c\"} 1\n# HELP d Of d.\n# TYPE d histogram\n# UNIT d s\n\
            d_bucket{le=\"+Inf\"} 1\n# HELP e E.\n# TYPE e info\ne_info{f=\"g\"} 1\n# TYPE h unknown\nh 2.5\n# EOF\n";
        let expected = "# HELP a_total Of a.\n# TYPE a_total counter\na_total{b=\"# c\"} 1\n# HELP d Of d.\n\
            # TYPE d histogram\nd_bucket{le=\"+Inf\"} 1\n# HELP e_info E.\n# TYPE e_info gauge\ne_info{f=\"g\"} 1\n\
            # TYPE h untyped\nh 2.5\n";
        assert_eq!(to_text_format(page), expected);
    }
}
