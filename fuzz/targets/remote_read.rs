//! Any bytes as the body of a remote read: as they are, and in the frame of snappy, without which few get far.
#![no_main]

mod server;

use axum::body::Body;
use http::Request;

fn ask(body: Vec<u8>) {
    let request = Request::post("/api/v1/read").body(Body::from(body)).expect("the request is valid");
    let (status, _) = server::ask(request);
    assert!(matches!(status.as_u16(), 200 | 400), "{status}");
}

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    ask(bytes.to_vec());
    ask(snap::raw::Encoder::new().compress_vec(bytes).expect("any bytes can be compressed"));
});
