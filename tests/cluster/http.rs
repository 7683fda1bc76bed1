//! The least HTTP that a test needs.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::time::Duration;

use serde_json::Value;

/// The status and body of a GET request to a port of this machine; `None` if nobody answers.
pub(crate) fn get(port: u16, path: &str) -> Option<(u16, String)> {
    get_at(SocketAddr::from((Ipv4Addr::LOCALHOST, port)), path)
}

/// The status and body of a GET request; `None` if nobody answers.
pub(crate) fn get_at(address: SocketAddr, path: &str) -> Option<(u16, String)> {
    get_with(address, path, &[])
}

/// The same with headers.
pub(crate) fn get_with(address: SocketAddr, path: &str, headers: &[(&str, &str)]) -> Option<(u16, String)> {
    let headers: String = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    let mut stream = TcpStream::connect_timeout(&address, Duration::from_secs(5)).ok()?;
    stream.set_read_timeout(Some(Duration::from_secs(20))).ok()?;
    write!(stream, "GET {path} HTTP/1.0\r\nHost: localhost\r\n{headers}\r\n").ok()?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).ok()?;
    let answer = String::from_utf8(answer).ok()?;
    let (head, body) = answer.split_once("\r\n\r\n")?;
    let status = head.split(' ').nth(1)?.parse().ok()?;
    Some((status, body.to_owned()))
}

/// The JSON document at a path; `None` unless it comes with status 200.
pub(crate) fn get_json(port: u16, path: &str) -> Option<Value> {
    let (status, body) = get(port, path)?;
    if status == 200 { serde_json::from_str(&body).ok() } else { None }
}
