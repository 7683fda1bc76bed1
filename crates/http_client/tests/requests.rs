//! What is sent and what is made of answers, with a transport in memory.

#![expect(clippy::unwrap_used, reason = "a test stops where something fails")]

use std::collections::VecDeque;
use std::fs;
use std::io::Write;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use flate2::Compression;
use flate2::write::GzEncoder;
use futures::future::{BoxFuture, FutureExt, pending};
use http_body_util::{BodyExt, Full};
use http_client::{
    Authentication, Body, HttpClient, HttpClientConfig, HttpError, Method, OAuth2Config, Outgoing, Proxy, Request,
    Response, Source, TlsConfig, Transport,
};
use stdx::Clock;

/// Answers requests from a list, and remembers them.
#[derive(Debug, Default)]
struct Script {
    answers: Mutex<VecDeque<http::Response<&'static str>>>,
    seen: Mutex<Vec<http::Request<Full<bytes::Bytes>>>>,
}

impl Transport for Script {
    fn round_trip(&self, outgoing: Outgoing) -> BoxFuture<'_, Result<http::Response<Body>, HttpError>> {
        self.seen.lock().unwrap().push(outgoing.request);
        let Some(answer) = self.answers.lock().unwrap().pop_front() else { return pending().boxed() };
        let never_fails = |never: std::convert::Infallible| match never {};
        async move { Ok(answer.map(|text| Full::from(text).map_err(never_fails).boxed_unsync())) }.boxed()
    }
}

impl Script {
    fn new(answers: impl IntoIterator<Item = http::Response<&'static str>>) -> Arc<Self> {
        Arc::new(Self { answers: Mutex::new(answers.into_iter().collect()), seen: Mutex::default() })
    }

    /// Each request so far: its method, URL and the header `Authorization`.
    fn seen(&self) -> Vec<String> {
        let seen = self.seen.lock().unwrap();
        let header = |request: &http::Request<_>, name: &str| {
            request.headers().get(name).map(|value| format!(" {}", value.to_str().unwrap())).unwrap_or_default()
        };
        let line =
            |request| format!("{} {}{}", request_method(request), request.uri(), header(request, "authorization"));
        seen.iter().map(line).collect()
    }
}

fn request_method<T>(request: &http::Request<T>) -> &Method {
    request.method()
}

fn answer(status: u16, headers: &[(&str, &str)], body: &'static str) -> http::Response<&'static str> {
    let builder = http::Response::builder().status(status);
    headers.iter().fold(builder, |builder, (name, value)| builder.header(*name, *value)).body(body).unwrap()
}

fn ok() -> http::Response<&'static str> {
    answer(200, &[], "fine")
}

fn redirect(status: u16, location: &str) -> http::Response<&'static str> {
    answer(status, &[("location", location)], "")
}

fn get(url: &str) -> Request {
    Request::get(url.parse().unwrap(), Duration::from_secs(5))
}

fn basic(username: &str, password: &str) -> HttpClientConfig {
    let source = |text: &str| Some(Source::Text(text.to_owned()));
    let authentication = Authentication::Basic { username: source(username), password: source(password) };
    HttpClientConfig { authentication, ..HttpClientConfig::default() }
}

fn client(config: HttpClientConfig, script: &Arc<Script>) -> HttpClient {
    HttpClient::with_transport(config, Clock::system(), script.clone())
}

#[tokio::test]
async fn credentials_and_headers_are_added() {
    let script = Script::new([ok(), ok(), ok()]);
    let mut config = basic("me", "secret");
    let values = ["a", "b"].map(|text| Source::Text(text.to_owned())).to_vec();
    config.headers.push(("X-Both".to_owned(), values));
    let client = client(config, &script);
    let response = client.send(get("http://h:1/m?x=1")).await.unwrap();
    assert_eq!((response.status.as_u16(), &response.body[..]), (200, &b"fine"[..]));
    client.send(get("http://u:p%40@h/m")).await.unwrap();
    let mut own = get("http://h/");
    own.headers.insert("authorization", "Own".parse().unwrap());
    client.send(own).await.unwrap();
    let seen = ["GET http://h:1/m?x=1 Basic bWU6c2VjcmV0", "GET http://h/m Basic dTpwQA==", "GET http://h/ Own"];
    assert_eq!(script.seen(), seen);
    let both: Vec<_> = script.seen.lock().unwrap()[0].headers().get_all("x-both").iter().cloned().collect();
    assert_eq!(both, ["a", "b"]);
}

#[tokio::test]
async fn files_count_as_soon_as_they_change() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("token");
    let credentials = Some(Source::File(path.clone()));
    let authentication = Authentication::Credentials { scheme: "Bearer".to_owned(), credentials };
    let script = Script::new([ok(), ok()]);
    let client = client(HttpClientConfig { authentication, ..HttpClientConfig::default() }, &script);
    let error = client.send(get("http://h/")).await.unwrap_err();
    let expected =
        format!("unable to read authorization credentials file {}: no such file or directory", path.display());
    assert_eq!(error.message(), expected);
    for token in ["one\n", "two\n"] {
        fs::write(&path, token).unwrap();
        client.send(get("http://h/")).await.unwrap();
    }
    assert_eq!(script.seen(), ["GET http://h/ Bearer one", "GET http://h/ Bearer two"]);
}

#[tokio::test]
async fn redirects_keep_credentials_at_home() {
    let script = Script::new([
        redirect(301, "/b"),
        redirect(302, "https://H:8/c"),
        redirect(307, "http://other/d"),
        redirect(308, "http://h/e"),
        ok(),
    ]);
    let client = client(basic("me", "secret"), &script);
    client.send(get("http://h/a")).await.unwrap();
    let seen = [
        "GET http://h/a Basic bWU6c2VjcmV0",
        "GET http://h/b Basic bWU6c2VjcmV0",
        "GET https://h:8/c Basic bWU6c2VjcmV0",
        "GET http://other/d",
        "GET http://h/e",
    ];
    assert_eq!(script.seen(), seen);
}

#[tokio::test]
async fn names_in_urls_stay_on_their_host() {
    let script = Script::new([redirect(302, "/b"), redirect(302, "http://other/c"), ok()]);
    client(HttpClientConfig::default(), &script).send(get("http://u:p@h/a")).await.unwrap();
    assert_eq!(script.seen(), ["GET http://h/a Basic dTpw", "GET http://h/b Basic dTpw", "GET http://other/c"]);
}

#[tokio::test]
async fn redirects_change_methods_as_in_go() {
    for (status, method) in [(301, "GET"), (302, "GET"), (303, "GET"), (307, "POST"), (308, "POST")] {
        let script = Script::new([redirect(status, "/b"), ok()]);
        let mut request = get("http://h/a");
        request.method = Method::POST;
        client(HttpClientConfig::default(), &script).send(request).await.unwrap();
        assert_eq!(script.seen()[1], format!("{method} http://h/b"), "{status}");
    }
}

#[tokio::test]
async fn redirects_end() {
    let script = Script::new((0..20).map(|_| redirect(302, "/")));
    let error = client(HttpClientConfig::default(), &script).send(get("http://h/")).await.unwrap_err();
    assert_eq!((error.message().as_str(), script.seen().len()), ("stopped after 10 redirects", 11));

    let script = Script::new([redirect(302, "/")]);
    let config = HttpClientConfig { follow_redirects: false, ..HttpClientConfig::default() };
    assert_eq!(client(config, &script).send(get("http://h/")).await.unwrap().status, 302);
}

#[tokio::test]
async fn bodies_have_a_limit() {
    let script = Script::new([ok(), ok()]);
    let client = client(HttpClientConfig::default(), &script);
    let mut request = get("http://h/");
    request.max_bytes = 4;
    assert_eq!(client.send(request.clone()).await.unwrap().body, "fine");
    request.max_bytes = 3;
    let error = client.send(request).await.unwrap_err();
    assert!(matches!(error, HttpError::TooLarge(3)), "{error}");
    assert_eq!(error.message(), "body size limit exceeded");
}

#[tokio::test(start_paused = true)]
async fn requests_have_a_deadline() {
    let error = client(HttpClientConfig::default(), &Script::new([])).send(get("http://h/")).await.unwrap_err();
    assert_eq!(error.message(), "context deadline exceeded");
}

#[tokio::test]
async fn urls_must_be_complete() {
    let client = client(HttpClientConfig::default(), &Script::new([]));
    for (url, message) in [
        ("ftp://u:p@h/x", "unsupported URL h/x: unsupported protocol scheme \"ftp\""),
        ("/x", "unsupported URL /x: unsupported protocol scheme \"\""),
    ] {
        assert_eq!(client.send(get(url)).await.unwrap_err().message(), message);
    }
}

#[test]
fn compressed_bodies_are_decoded_within_a_limit() {
    let page = "up 1\n".repeat(1000);
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(page.as_bytes()).unwrap();
    let response = |encoding: &str, body: Vec<u8>| {
        let headers = [(http::header::CONTENT_ENCODING, encoding.parse().unwrap())].into_iter().collect();
        Response { status: http::StatusCode::OK, headers, body: body.into() }
    };
    let compressed = encoder.finish().unwrap();
    let gzip = response("gzip", compressed.clone());
    assert_eq!(gzip.decoded(5000).unwrap(), page);
    assert!(matches!(gzip.decoded(4999), Err(HttpError::TooLarge(4999))));
    let cut = response("gzip", compressed[..compressed.len() - 5].to_vec());
    assert!(matches!(cut.decoded(u64::MAX), Err(HttpError::Decompress(_))));
    assert_eq!(response("identity", b"x".to_vec()).decoded(1).unwrap(), "x");
    let error = response("br", Vec::new()).decoded(1).unwrap_err();
    assert_eq!(error.message(), "unsupported content encoding \"br\"");
}

fn oauth2() -> HttpClientConfig {
    let oauth2 = OAuth2Config {
        client_id: "me".to_owned(),
        client_secret: Some(Source::Text("s&c".to_owned())),
        scopes: vec!["a".to_owned(), "b".to_owned()],
        token_url: "http://tokens/get".to_owned(),
        endpoint_params: vec![("k".to_owned(), "v w".to_owned())],
        tls: TlsConfig::default(),
        proxy: Proxy::None,
    };
    HttpClientConfig { authentication: Authentication::OAuth2(Box::new(oauth2)), ..HttpClientConfig::default() }
}

#[tokio::test(start_paused = true)]
async fn tokens_are_got_and_kept_until_they_end() {
    let token = || answer(200, &[], r#"{"access_token":"t","token_type":"bearer","expires_in":60}"#);
    let script = Script::new([answer(401, &[], ""), token(), ok(), ok(), token(), ok()]);
    let client = client(oauth2(), &script);
    client.send(get("http://h/1")).await.unwrap();
    client.send(get("http://h/2")).await.unwrap();
    tokio::time::advance(Duration::from_secs(51)).await;
    client.send(get("http://h/3")).await.unwrap();
    let ask = "POST http://tokens/get Basic bWU6cyUyNmM=";
    let seen = [
        ask,
        "POST http://tokens/get",
        "GET http://h/1 Bearer t",
        "GET http://h/2 Bearer t",
        ask,
        "GET http://h/3 Bearer t",
    ];
    assert_eq!(script.seen(), seen);
    let body = script.seen.lock().unwrap()[1].body().clone();
    let body = body.collect().await.unwrap().to_bytes();
    assert_eq!(body, "grant_type=client_credentials&scope=a+b&k=v+w&client_id=me&client_secret=s%26c");
}

#[tokio::test]
async fn servers_that_give_no_token_are_blamed() {
    for (status, body, message) in [
        (500, "", "oauth2: cannot fetch token: 500 Internal Server Error"),
        (200, "{}", "oauth2: server response missing access_token"),
    ] {
        let script = Script::new([answer(status, &[], body)]);
        let error = client(oauth2(), &script).send(get("http://h/")).await.unwrap_err();
        assert_eq!(error.message(), message);
    }
}

#[test]
fn secrets_are_not_shown() {
    let client = client(basic("me", "hush"), &Script::new([]));
    assert!(!format!("{client:?}").contains("hush"));
}
