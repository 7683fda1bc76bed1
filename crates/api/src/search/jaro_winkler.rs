//! How alike two texts are, after Jaro and Winkler.

/// What each character of a common beginning adds of what is missing.
const PREFIX_WEIGHT: f64 = 0.1;
const MAX_PREFIX: usize = 4;

/// How alike two texts are: 1 if they are the same, 0 if they have nothing in common.
pub(super) fn jaro_winkler(a: &str, b: &str) -> f64 {
    if a == b {
        return 1.0;
    }
    if a.is_ascii() && b.is_ascii() {
        return similarity(a.as_bytes(), b.as_bytes());
    }
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    similarity(&a, &b)
}

fn similarity<C: PartialEq>(a: &[C], b: &[C]) -> f64 {
    let (short, long) = if a.len() > b.len() { (b, a) } else { (a, b) };
    let (in_short, in_long) = common(short, long);
    if in_short.is_empty() {
        return 0.0;
    }
    let matches = in_short.len() as f64;
    let swapped = in_short.iter().zip(&in_long).filter(|(s, l)| short[**s] != long[**l]).count() as f64;
    // Computed in this order, it is Prometheus' to the last bit.
    let (short_share, long_share) = (1.0 / short.len() as f64, 1.0 / long.len() as f64);
    let jaro = (matches * short_share + matches * long_share + (matches - swapped * 0.5) / matches) / 3.0;
    let prefix = short.iter().zip(long).take(MAX_PREFIX).take_while(|(s, l)| s == l).count();
    jaro + prefix as f64 * PREFIX_WEIGHT * (1.0 - jaro)
}

/// Where characters are that both texts have, at about the same place: in the one and in the other, both in order.
fn common<C: PartialEq>(short: &[C], long: &[C]) -> (Vec<usize>, Vec<usize>) {
    let distance = (long.len() / 2).saturating_sub(1);
    let mut is_taken = vec![false; long.len()];
    let mut in_short = Vec::new();
    for (at, c) in short.iter().enumerate() {
        let near = at.saturating_sub(distance)..(at + distance + 1).min(long.len());
        if let Some(other) = near.into_iter().find(|other| !is_taken[*other] && long[*other] == *c) {
            is_taken[other] = true;
            in_short.push(at);
        }
    }
    let in_long = is_taken.iter().enumerate().filter(|(_, taken)| **taken).map(|(at, _)| at).collect();
    (in_short, in_long)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_examples_of_the_literature_hold() {
        for (a, b, expected) in [
            ("martha", "marhta", 0.961_111),
            ("dwayne", "duane", 0.84),
            ("dixon", "dicksonx", 0.813_333),
            ("dixön", "dicksönx", 0.813_333),
            ("abc", "xyz", 0.0),
            ("abc", "", 0.0),
            ("", "", 1.0),
        ] {
            assert!((jaro_winkler(a, b) - expected).abs() < 1e-6, "{a} and {b}: {}", jaro_winkler(a, b));
            assert_eq!(jaro_winkler(a, b), jaro_winkler(b, a), "{a} and {b}");
        }
    }
}
