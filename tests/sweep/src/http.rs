//! The least HTTP that a sweep needs.

use std::collections::BTreeMap;
use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use crate::Request;

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// An answer, with its body decompressed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Answer {
    /// The status code; 0 if nobody answered.
    pub status: u16,
    /// Headers by their names in small letters; values of repeated ones are joined.
    pub headers: BTreeMap<String, String>,
    /// The body; why there is none, if nobody answered.
    pub body: Vec<u8>,
}

impl Answer {
    /// The body as a text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

/// Asks whoever listens at a port of this machine.
pub(crate) fn ask(port: u16, request: &Request) -> Answer {
    exchange(port, request).unwrap_or_else(|error| Answer { body: error.to_string().into(), ..Answer::default() })
}

fn exchange(port: u16, request: &Request) -> io::Result<Answer> {
    let mut stream = TcpStream::connect(("127.0.0.1", port))?;
    stream.set_read_timeout(Some(PATIENCE))?;
    let mut head = format!("{} {} HTTP/1.0\r\nHost: localhost\r\n", request.method, request.path);
    for (name, value) in &request.headers {
        head += &format!("{name}: {value}\r\n");
    }
    if let Some(body) = &request.body {
        if !request.headers.iter().any(|(name, _)| name == "Content-Type") {
            head += "Content-Type: application/x-www-form-urlencoded\r\n";
        }
        head += &format!("Content-Length: {}\r\n", body.len());
    }
    head += "\r\n";
    head += request.body.as_deref().unwrap_or_default();
    stream.write_all(head.as_bytes())?;
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes)?;
    read_answer(&bytes).ok_or_else(|| io::Error::other("no answer that makes sense"))
}

fn read_answer(bytes: &[u8]) -> Option<Answer> {
    let end = bytes.windows(4).position(|window| window == b"\r\n\r\n")?;
    let head = String::from_utf8_lossy(&bytes[..end]);
    let mut lines = head.split("\r\n");
    let status = lines.next()?.split(' ').nth(1)?.parse().ok()?;
    let mut headers: BTreeMap<String, String> = BTreeMap::new();
    for (name, value) in lines.filter_map(|line| line.split_once(": ")) {
        let known = headers.entry(name.to_lowercase()).or_default();
        if !known.is_empty() {
            known.push(',');
        }
        known.push_str(value);
    }
    let body = &bytes[end + 4..];
    let encoding = headers.get("content-encoding").map_or("", String::as_str);
    let body = decompress(encoding, body).unwrap_or_else(|_| body.to_vec());
    Some(Answer { status, headers, body })
}

fn decompress(encoding: &str, body: &[u8]) -> io::Result<Vec<u8>> {
    let mut plain = Vec::new();
    match encoding {
        "gzip" => flate2::read::GzDecoder::new(body).read_to_end(&mut plain)?,
        "deflate" => flate2::read::ZlibDecoder::new(body).read_to_end(&mut plain)?,
        "zstd" => return zstd::decode_all(body),
        _ => return Ok(body.to_vec()),
    };
    Ok(plain)
}
