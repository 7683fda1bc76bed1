//! scratch
#![allow(missing_docs, clippy::all)]
use std::io::BufRead;
fn main() {
    let mode =
        if std::env::args().nth(1).as_deref() == Some("agent") { config::Mode::Agent } else { config::Mode::Server };
    for line in std::io::stdin().lock().lines() {
        let path = line.unwrap();
        let loaded = config::load(std::path::Path::new(&path), mode, &config::RealFiles);
        let value = match loaded {
            Ok(loaded) => {
                serde_json::json!({"path": path, "yaml": yaml::to_text(&loaded.config), "notices": loaded.notices.iter().map(|n| n.to_string()).collect::<Vec<_>>()})
            }
            Err(errors) => serde_json::json!({"path": path, "err": errors.to_string()}),
        };
        println!("{value}");
    }
}
