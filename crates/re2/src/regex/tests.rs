use proptest::prelude::*;

use super::*;

fn plan(regex: &Regex) -> &'static str {
    match &regex.0.plan {
        Plan::Shape { engine: None, .. } => "shape",
        Plan::Shape { .. } => "shape, groups",
        Plan::IgnoringCase { .. } => "ignoring case",
        Plan::Engine { .. } => "engine",
    }
}

#[test]
fn common_matchers_need_no_engine() {
    for (pattern, expected) in [
        ("", "shape"),
        ("a|b|c", "shape"),
        ("^(?:a|b)$", "shape"),
        ("(5..|4..)", "engine"),
        ("(.*)", "shape"),
        ("((a|b)+?)", "engine"),
        ("(a|b)c", "shape, groups"),
        ("node_(?:cpu|disk)_.*", "shape"),
        (".+", "shape"),
        (".*foo.+bar.*", "shape"),
        ("x?y{2}[0-9]", "shape"),
        ("(?i)get|post", "shape"),
        ("(?i)prometheus.*", "ignoring case"),
        ("(?-s:.*)", "engine"),
        ("a.b", "engine"),
    ] {
        assert_eq!(plan(&Regex::wrapped(pattern).unwrap()), expected, "{pattern}");
    }
    assert_eq!(plan(&Regex::anchored("(a|b)c").unwrap()), "shape");
}

#[test]
fn lists_of_texts_are_known() {
    for (pattern, texts) in [
        ("b|a|b", Some(&["a", "b"][..])),
        ("", Some(&[""])),
        ("x(a|b)?", Some(&["x", "xa", "xb"])),
        ("(?i)a1", Some(&["A1", "a1"])),
        ("[é-ë]", Some(&["é", "ê", "ë"])),
        ("a|b.*", None),
        ("[a-z]{2}", None),
        (r"[^\x00-\x{10FFFF}]", Some(&[])),
    ] {
        let regex = Regex::anchored(pattern).unwrap();
        let found = regex.set_matches().map(|texts| texts.iter().map(String::as_str).collect::<Vec<_>>());
        assert_eq!(found.as_deref(), texts, "{pattern}");
    }
    let many: Vec<_> = (0..5000).map(|n| format!("pod-{n}")).collect();
    let regex = Regex::anchored(&many.join("|")).unwrap();
    assert_eq!(regex.set_matches().map(<[_]>::len), Some(5000));
    assert!(regex.is_match("pod-4999") && !regex.is_match("pod-5000"));
}

#[test]
fn starts_are_known() {
    for (pattern, prefix) in [
        ("foo.*", "foo"),
        ("foo[0-9]+", "foo"),
        ("foobar|foobaz.+", "fooba"),
        ("é1.*|è1.*", ""),
        ("(é|è)[0-9]+", ""),
        ("(?i)foo", ""),
        (".*foo", ""),
    ] {
        assert_eq!(Regex::anchored(pattern).unwrap().prefix(), prefix, "{pattern}");
    }
    for (pattern, everything, nonempty) in [
        (".*", true, true),
        ("(.*|a)", true, true),
        (".+", false, true),
        (".{2,}", false, false),
        ("a.*", false, false),
    ] {
        let regex = Regex::anchored(pattern).unwrap();
        assert_eq!((regex.matches_everything(), regex.matches_all_nonempty()), (everything, nonempty), "{pattern}");
    }
}

#[test]
fn the_case_of_letters_is_unicodes() {
    let regex = Regex::anchored("(?i)kubernetes_.*").unwrap();
    assert!(regex.is_match("KUBERNETES_x") && regex.is_match("\u{212a}uberne\u{17f}") == regex.is_match("ſ"));
    assert!(regex.is_match("\u{212a}ubernete\u{17f}_é"));
    assert!(regex.is_match(&format!("Kubernetes_{}", "x".repeat(500))));
    assert!(!regex.is_match("kubernetes"));
}

#[test]
fn matches_are_replaced() {
    let replace = |pattern: &str, text: &str, template: &str| {
        let regex = Regex::new(pattern).unwrap();
        regex.replace_all(text, &Template::new(template, &regex))
    };
    assert_eq!(replace("a(x*)b", "-ab-axxb-", "${1}W"), "-W-xxW-");
    assert_eq!(replace("", "äb", "-"), "-ä-b-");
    assert_eq!(replace("a*", "baac", "x"), "xbxcx");
    assert_eq!(replace("^a", "aa", "b"), "ba");
    assert_eq!(replace("^.*$", "abc", "<$0>"), "<abc>");
}

#[test]
fn a_wrapped_expression_is_part_of_a_longer_one() {
    assert_eq!(Regex::wrapped("(a").unwrap_err().to_string(), "error parsing regexp: missing closing ): `^(?s:(a)$`");
    assert_eq!(Regex::anchored("(a").unwrap_err().to_string(), "error parsing regexp: missing closing ): `(a`");
    let odd = Regex::wrapped("a)|(?:b").unwrap();
    assert!(odd.is_match("ax") && odd.is_match("xb") && !odd.is_match("xa"));
}

#[test]
fn hostile_expressions_are_refused_and_not_slow() {
    for pattern in [r"(\pL{100}){10}", &r"(?i)\PN\pL{1000}".repeat(3)] {
        let error = Regex::anchored(pattern).unwrap_err();
        assert_eq!(error.kind, ErrorKind::TooLarge, "{pattern}");
    }
    let deep = "(".repeat(999) + &")".repeat(999);
    assert!(Regex::new(&deep).unwrap().is_match(""));
    let nested = "(a?".repeat(330) + &")*".repeat(330);
    assert!(Regex::new(&nested).unwrap().is_match("b"));
    let long = "x".repeat(100_000);
    assert!(Regex::anchored(&format!("(?:{long}){{1000}}")).is_err());
    let classic = Regex::new("(x+x+)+y").unwrap();
    assert!(!classic.is_match(&long));
}

/// Expressions made of the parts that shapes are made of, and of some that have none.
fn expression() -> impl Strategy<Value = String> {
    let leaf = prop::sample::select(vec![
        "a", "b", "ab", "é", "k", "", ".*", ".+", ".", ".{2,}", "[ab]", "[^a]", r"\n", "^", "$", "(?i:k)", "(?i:ab)",
        r"\b",
    ])
    .prop_map(str::to_owned);
    leaf.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 1..4).prop_map(|parts| parts.concat()),
            prop::collection::vec(inner.clone(), 1..4).prop_map(|parts| format!("({})", parts.join("|"))),
            (inner.clone(), prop::sample::select(vec!["?", "{2}", "{0,2}", "*", "+?"]))
                .prop_map(|(part, operator)| format!("(?:{part}){operator}")),
            inner.prop_map(|part| format!("(?i:{part})")),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn shapes_agree_with_the_engine(pattern in expression(), texts in prop::collection::vec("[abkKA\u{212a}éÉ\n]{0,5}", 8)) {
        let [regex, matcher] = [Regex::wrapped(&pattern), Regex::anchored(&pattern)].map(Result::unwrap);
        let parsed = parse(&format!("^(?s:{pattern})$"), Flags::default(), Groups::Capture).unwrap();
        let engine = build(&parsed.hir).unwrap();
        for text in &texts {
            prop_assert_eq!(regex.is_match(text), engine.is_match(text), "{:?} on {:?}", pattern, text);
            prop_assert_eq!(matcher.is_match(text), engine.is_match(text), "{:?} on {:?}", pattern, text);
            let found = regex.captures(text).map(|found| found.slots);
            let mut slots = vec![None; regex.group_names().len() * 2];
            let expected = engine.search_slots(&Input::new(text), &mut slots).map(|_| slots);
            prop_assert_eq!(found, expected, "{:?} on {:?}", pattern, text);
            if regex.is_match(text) {
                prop_assert!(text.starts_with(matcher.prefix()));
                prop_assert!(matcher.set_matches().is_none_or(|texts| texts.contains(text)));
            }
        }
    }

    #[test]
    fn any_text_is_an_expression_or_refused(pattern in r"[a-c()\[\]{}|*+?\\^$.:PpQEx0-9<>i-]{0,12}", text in "[a-c0-9]{0,4}") {
        for compiled in [Regex::new(&pattern), Regex::anchored(&pattern), Regex::wrapped(&pattern)] {
            match compiled {
                Ok(regex) => {
                    prop_assert_eq!(regex.is_match(&text), regex.captures(&text).is_some());
                    regex.replace_all(&text, &Template::new(&pattern, &regex));
                }
                Err(error) => prop_assert!(error.to_string().starts_with("error parsing regexp: ")),
            }
        }
    }
}
