//! A crate may use only crates on lower floors, and heavy dependencies only through their doorway.

use std::collections::BTreeMap;

use serde_json::Value;

use super::Findings;

/// Dependencies that only the named crates may use, so that each could be replaced in one place.
const DOORWAYS: [(&str, &[&str]); 6] = [
    ("rocksdb", &["raftlog"]),
    ("openraft", &["raftlog", "consensus"]),
    ("openraft-rt-tokio", &["raftlog", "consensus"]),
    ("object_store", &["bucket"]),
    ("axum", &["api"]),
    ("procfs", &["telemetry"]),
];

pub(super) fn check(packages: &[Value]) -> Findings {
    let mut findings = Findings::new();
    let mut floors = BTreeMap::new();
    for package in packages.iter().filter(|package| is_house(package)) {
        let name = text(package, "name");
        match package["metadata"]["floor"].as_u64() {
            Some(floor) => {
                floors.insert(name.to_owned(), floor);
            }
            None => findings.push(format!("{name}: its manifest names no floor ([package.metadata] floor = n)")),
        }
    }
    for package in packages {
        findings.extend(check_package(package, &floors));
    }
    findings
}

fn check_package(package: &Value, floors: &BTreeMap<String, u64>) -> Findings {
    let name = text(package, "name");
    let noun = name.strip_prefix("ringwood-").unwrap_or(name);
    let own = floors.get(name).copied();
    let mut findings = Findings::new();
    let dependencies = package["dependencies"].as_array().map(Vec::as_slice).unwrap_or_default();
    for dependency in dependencies.iter().filter(|dependency| dependency["kind"] != "dev") {
        let used = text(dependency, "name");
        if let (Some(own), Some(lower)) = (own, floors.get(used))
            && *lower >= own
        {
            findings.push(format!("{name} (floor {own}) uses {used} (floor {lower}): only lower floors may be used"));
        }
        if let Some((_, doorways)) = DOORWAYS.iter().find(|(heavy, _)| *heavy == used)
            && !doorways.contains(&noun)
        {
            findings.push(format!("{name} uses {used}: only {} may", doorways.join(", ")));
        }
    }
    findings
}

/// Whether the package is one of the house, not a tool or a test beside it.
fn is_house(package: &Value) -> bool {
    text(package, "manifest_path").contains("/crates/")
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value[key].as_str().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn package(name: &str, floor: u64, uses: &[&str]) -> Value {
        let dependencies: Vec<_> = uses.iter().map(|name| json!({ "name": name, "kind": null })).collect();
        json!({
            "name": name, "manifest_path": "/x/crates/y/Cargo.toml",
            "metadata": { "floor": floor }, "dependencies": dependencies,
        })
    }

    #[test]
    fn only_lower_floors_and_doorways() {
        let low = package("ringwood-low", 1, &[]);
        let fine = package("ringwood-raftlog", 2, &["ringwood-low", "rocksdb"]);
        assert_eq!(check(&[low.clone(), fine]), Findings::new());
        let same_floor = package("ringwood-same", 1, &["ringwood-low"]);
        assert_eq!(check(&[low.clone(), same_floor]).len(), 1);
        let wrong_door = package("ringwood-other", 2, &["rocksdb"]);
        assert_eq!(check(&[low, wrong_door]), ["ringwood-other uses rocksdb: only raftlog may"]);
    }
}
