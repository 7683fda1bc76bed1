//! Lists of cases, all of which are to pass.

/// Checks cases one by one and prints how many passed.
///
/// # Panics
/// If a case failed, with what each of the failed ones said.
#[expect(clippy::print_stdout, reason = "a conformance test counts its cases")]
pub fn check_cases<C>(collection: &str, cases: &[C], check: impl Fn(&C) -> Result<(), String>) {
    let failures: Vec<_> = cases.iter().filter_map(|case| check(case).err()).collect();
    println!("{collection}: {} of {} passed", cases.len() - failures.len(), cases.len());
    assert!(failures.is_empty(), "{} failed:\n{}", failures.len(), failures.join("\n"));
}
