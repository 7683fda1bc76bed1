//! Names of labels that paths can hold.

/// Resolves `U__http_2e_status`, in which a character that no legacy name may have is its code point in hexadecimal between
/// underscores, and an underscore is two.
///
/// As in Prometheus, a name that is not escaped that way, or is escaped wrongly, is taken as it is.
pub(super) fn unescape(name: &str) -> String {
    let Some(escaped) = name.strip_prefix("U__") else { return name.to_owned() };
    resolve(escaped).unwrap_or_else(|| name.to_owned())
}

fn resolve(escaped: &str) -> Option<String> {
    let mut name = String::with_capacity(escaped.len());
    let mut rest = escaped;
    while let Some((before, after)) = rest.split_once('_') {
        name.push_str(before);
        let (code, after) = after.split_once('_')?;
        name.push(if code.is_empty() { '_' } else { character(code)? });
        rest = after;
    }
    name.push_str(rest);
    Some(name)
}

/// The character with this code point: six hexadecimal digits at most.
fn character(code: &str) -> Option<char> {
    let is_hex = code.len() <= 6 && code.bytes().all(|byte| byte.is_ascii_hexdigit());
    u32::from_str_radix(code, 16).ok().filter(|_| is_hex).and_then(char::from_u32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn code_points_stand_between_underscores() {
        for (name, expected) in [
            ("job", "job"),
            ("http_status", "http_status"),
            ("U__http_2e_status_code", "U__http_2e_status_code"),
            ("U__http_2e_status__code", "http.status_code"),
            ("U___263a__1F600_", "☺😀"),
            ("U__a__", "a_"),
            ("U__a_", "U__a_"),
            ("U__a_d800_", "U__a_d800_"),
            ("U__a_00000e9_", "U__a_00000e9_"),
            ("U__a_+2e_", "U__a_+2e_"),
            ("U__", ""),
        ] {
            assert_eq!(unescape(name), expected, "{name}");
        }
    }
}
