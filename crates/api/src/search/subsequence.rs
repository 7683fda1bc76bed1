//! How well a term fits a text whose characters it has some of, in order.

/// Less than 1 even for a text that only begins with the term: the term itself is the best hit.
const INEXACT: f64 = 0.999;

/// How well a term fits a text: 1 if they are the same, 0 if not all its characters are in the text, in order.
///
/// Runs of characters that stand together count their length squared; what stands between, before and (half) behind
/// them takes away its share of the text.
pub(super) fn subsequence_score(term: &str, text: &str) -> f64 {
    if term == text || term.is_empty() {
        return 1.0;
    }
    if term.len() > text.len() {
        return 0.0;
    }
    if term.is_ascii() && text.is_ascii() {
        return best_score(term.as_bytes(), text.as_bytes());
    }
    let (term, text): (Vec<char>, Vec<char>) = (term.chars().collect(), text.chars().collect());
    best_score(&term, &text)
}

/// The best of the fits that begin anywhere in the text. A fit takes each character at the first place it finds.
fn best_score<C: PartialEq>(term: &[C], text: &[C]) -> f64 {
    let Some(last_start) = text.len().checked_sub(term.len()) else { return 0.0 };
    let mut best = -1.0;
    for start in (0..=last_start).filter(|start| text[*start] == term[0]) {
        // If the rest of the term is not behind this start, it is behind no later one.
        let Some(score) = score_from(start, term, text) else { break };
        best = score.max(best);
    }
    if best < 0.0 { 0.0 } else { best / (term.len() * term.len()) as f64 * INEXACT }
}

fn score_from<C: PartialEq>(start: usize, term: &[C], text: &[C]) -> Option<f64> {
    // Computed in this order, scores are Prometheus' to the last bit.
    let share = 1.0 / text.len() as f64;
    let mut score = 0.0;
    let (mut at, mut matched, mut run_end) = (start, 0, 0);
    while matched < term.len() {
        let run_start = at + text[at..].iter().position(|c| *c == term[matched])?;
        let run = text[run_start..].iter().zip(&term[matched..]).take_while(|(a, b)| a == b).count();
        if run_start > run_end {
            score -= (run_start - run_end) as f64 * share;
        }
        score += (run * run) as f64;
        matched += run;
        run_end = run_start + run;
        at = run_end;
    }
    if text.len() > run_end {
        score -= (text.len() - run_end) as f64 * share * 0.5;
    }
    Some(score)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_count_more_than_single_characters() {
        for (term, text, expected) in [
            ("", "a", 1.0),
            ("a", "", 0.0),
            ("abc", "abc", 1.0),
            ("abc", "acb", 0.0),
            ("éa", "ea", 0.0),
            ("ab", "abc", (4.0 - 1.0 / 3.0 * 0.5) / 4.0 * INEXACT),
            ("ac", "abc", (1.0 - 1.0 / 3.0 + 1.0) / 4.0 * INEXACT),
            ("éc", "ébc", (1.0 - 1.0 / 3.0 + 1.0) / 4.0 * INEXACT),
            // The second start is the better one.
            ("ab", "axab", (-2.0 * 0.25 + 4.0) / 4.0 * INEXACT),
            // So far apart that nothing is left.
            ("a", "xxxa", (-3.0 * 0.25 + 1.0) / 1.0 * INEXACT),
        ] {
            assert_eq!(subsequence_score(term, text), expected, "{term} in {text}");
        }
    }
}
