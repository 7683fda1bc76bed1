//! Requests over sockets of this machine.

#![expect(clippy::unwrap_used, reason = "a test stops where something fails")]

use std::convert::Infallible;
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_client::{HttpClient, HttpClientConfig, HttpError, Proxy, Request, Source, TlsConfig, TlsVersion};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use rcgen::{CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};
use stdx::{Clock, Tasks};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, UnixListener};
use tokio_rustls::TlsAcceptor;

/// Answers each request on a connection with what it said, until the other side hangs up.
async fn echo(mut stream: impl AsyncRead + AsyncWrite + Unpin) {
    let mut received = Vec::new();
    while stream.read_buf(&mut received).await.is_ok_and(|count| count > 0) {
        if received.ends_with(b"\r\n\r\n") {
            let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", received.len());
            let Ok(()) = stream.write_all(&[head.as_bytes(), &received].concat()).await else { return };
            received.clear();
        }
    }
}

/// A server on a free port; secured if `tls` says how.
async fn serve(tasks: &Tasks, tls: Option<Arc<ServerConfig>>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let connections = tasks.clone();
    tasks.spawn_until_stopped("server", async move {
        while let Ok((stream, _)) = listener.accept().await {
            let tls = tls.clone();
            connections.spawn_until_stopped("connection", async move {
                match tls {
                    None => echo(stream).await,
                    Some(tls) => {
                        if let Ok(stream) = TlsAcceptor::from(tls).accept(stream).await {
                            echo(stream).await;
                        }
                    }
                }
            });
        }
    });
    address
}

fn get(url: &str) -> Request {
    Request::get(url.parse().unwrap(), Duration::from_secs(20))
}

fn client(config: HttpClientConfig) -> HttpClient {
    HttpClient::new(config, Clock::system()).unwrap()
}

fn with_tls(tls: TlsConfig) -> HttpClientConfig {
    HttpClientConfig { tls, ..HttpClientConfig::default() }
}

async fn echoed(client: &HttpClient, request: Request) -> Result<String, HttpError> {
    client.send(request).await.map(|response| String::from_utf8(response.body.to_vec()).unwrap())
}

/// An authority, and a certificate that it signed for a server.
struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
    pem: String,
    cert: String,
    key: KeyPair,
}

impl Authority {
    fn issue(&self, name: &str) -> (String, KeyPair) {
        issue(&self.issuer, name)
    }

    fn server(&self) -> Arc<ServerConfig> {
        server(&self.cert, &self.key, None)
    }
}

fn issue(issuer: &CertifiedIssuer<'static, KeyPair>, name: &str) -> (String, KeyPair) {
    let key = KeyPair::generate().unwrap();
    let params = CertificateParams::new(vec![name.to_owned()]).unwrap();
    (params.signed_by(&key, issuer).unwrap().pem(), key)
}

fn authority(name: &str) -> Authority {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
    let (cert, key) = issue(&issuer, name);
    Authority { pem: issuer.pem(), issuer, cert, key }
}

/// A server with this certificate, which wants clients to have one of the authority `clients`.
fn server(cert: &str, key: &KeyPair, clients: Option<&str>) -> Arc<ServerConfig> {
    let certificate = |pem: &str| CertificateDer::from_pem_slice(pem.as_bytes()).unwrap();
    let key = PrivateKeyDer::from_pem_slice(key.serialize_pem().as_bytes()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ServerConfig::builder_with_provider(provider.clone()).with_safe_default_protocol_versions().unwrap();
    let builder = match clients {
        None => builder.with_no_client_auth(),
        Some(pem) => {
            let mut store = RootCertStore::empty();
            store.add(certificate(pem)).unwrap();
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(store), provider).build().unwrap();
            builder.with_client_cert_verifier(verifier)
        }
    };
    Arc::new(builder.with_single_cert(vec![certificate(cert)], key).unwrap())
}

#[tokio::test]
async fn requests_say_what_servers_need() {
    let tasks = Tasks::new();
    let address = serve(&tasks, None).await;
    let client = client(HttpClientConfig::default());
    for _ in 0..2 {
        let head = echoed(&client, get(&format!("http://{address}/m?a=b"))).await.unwrap();
        assert_eq!(head, format!("GET /m?a=b HTTP/1.1\r\nhost: {address}\r\n\r\n"));
    }
}

#[tokio::test]
async fn failures_to_connect_name_the_address() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let error = echoed(&client(HttpClientConfig::default()), get(&format!("http://{address}"))).await.unwrap_err();
    let message = error.message();
    assert!(
        message.starts_with(&format!("dial tcp {address}: ")) && message.ends_with("connection refused"),
        "{message}"
    );
}

#[tokio::test]
async fn sockets_of_this_machine_are_reached_by_path() {
    let tasks = Tasks::new();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("socket");
    let listener = UnixListener::bind(&path).unwrap();
    let connections = tasks.clone();
    tasks.spawn_until_stopped("server", async move {
        while let Ok((stream, _)) = listener.accept().await {
            connections.spawn_until_stopped("connection", echo(stream));
        }
    });
    let mut request = get("http://name/x");
    request.unix_socket = Some(path);
    let head = echoed(&client(HttpClientConfig::default()), request.clone()).await.unwrap();
    assert_eq!(head, "GET /x HTTP/1.1\r\nhost: name\r\n\r\n");
    request.unix_socket = Some(folder.path().join("nothing"));
    let error = echoed(&client(HttpClientConfig::default()), request).await.unwrap_err();
    assert!(matches!(error, HttpError::Dial { .. }), "{error}");
}

#[tokio::test]
async fn certificates_are_checked() {
    let tasks = Tasks::new();
    let authority = authority("name.example");
    let url = format!("https://{}/", serve(&tasks, Some(authority.server())).await);
    let ca = Some(Source::Text(authority.pem));
    let name = Some("name.example".to_owned());

    let trusted = TlsConfig { ca: ca.clone(), server_name: name.clone(), ..TlsConfig::default() };
    echoed(&client(with_tls(trusted)), get(&url)).await.unwrap();
    let careless = TlsConfig { insecure_skip_verify: true, ..TlsConfig::default() };
    echoed(&client(with_tls(careless)), get(&url)).await.unwrap();

    let wrong_name = TlsConfig { ca, ..TlsConfig::default() };
    let error = echoed(&client(with_tls(wrong_name)), get(&url)).await.unwrap_err();
    assert!(error.message().contains("not valid for name"), "{}", error.message());
    let unknown = TlsConfig { server_name: name, ..TlsConfig::default() };
    let error = echoed(&client(with_tls(unknown)), get(&url)).await.unwrap_err();
    assert!(error.message().contains("UnknownIssuer"), "{}", error.message());
}

#[tokio::test]
async fn certificates_may_sign_themselves() {
    let tasks = Tasks::new();
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(vec!["self.example".to_owned()]).unwrap();
    params.is_ca = IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let pem = params.self_signed(&key).unwrap().pem();
    let url = format!("https://{}/", serve(&tasks, Some(server(&pem, &key, None))).await);
    let settings = |name: &str| {
        let server_name = Some(name.to_owned());
        with_tls(TlsConfig { ca: Some(Source::Text(pem.clone())), server_name, ..TlsConfig::default() })
    };
    echoed(&client(settings("self.example")), get(&url)).await.unwrap();
    let error = echoed(&client(settings("other.example")), get(&url)).await.unwrap_err();
    assert!(error.message().contains("not valid for name"), "{}", error.message());
}

#[tokio::test]
async fn clients_show_their_certificates() {
    let tasks = Tasks::new();
    let authority = authority("localhost");
    let (cert, key) = authority.issue("client");
    let server = server(&authority.cert, &authority.key, Some(&authority.pem));
    let port = serve(&tasks, Some(server)).await.rsplit(':').next().unwrap().to_owned();
    let url = format!("https://localhost:{port}/");
    let ca = Some(Source::Text(authority.pem.clone()));
    let identity = Some((Source::Text(cert), Source::Text(key.serialize_pem())));
    let known = TlsConfig { ca: ca.clone(), identity, ..TlsConfig::default() };
    echoed(&client(with_tls(known)), get(&url)).await.unwrap();
    let unknown = TlsConfig { ca, ..TlsConfig::default() };
    echoed(&client(with_tls(unknown)), get(&url)).await.unwrap_err();
}

/// A server that answers with the version of HTTP in which it was asked.
async fn serve_versions(tasks: &Tasks, authority: &Authority) -> String {
    let mut config = ServerConfig::clone(&authority.server());
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let connections = tasks.clone();
    tasks.spawn_until_stopped("server", async move {
        while let Ok((stream, _)) = listener.accept().await {
            let acceptor = acceptor.clone();
            connections.spawn_until_stopped("connection", async move {
                let stream = TokioIo::new(acceptor.accept(stream).await.unwrap());
                let answer = service_fn(|request: hyper::Request<_>| async move {
                    let version = format!("{:?}", request.version());
                    let _: hyper::body::Incoming = request.into_body();
                    Ok::<_, Infallible>(hyper::Response::new(http_body_util::Full::new(Bytes::from(version))))
                });
                let _ = auto::Builder::new(TokioExecutor::new()).serve_connection(stream, answer).await;
            });
        }
    });
    format!("https://localhost:{port}/")
}

#[tokio::test]
async fn both_sides_agree_on_a_version_of_http() {
    let tasks = Tasks::new();
    let authority = authority("localhost");
    let url = serve_versions(&tasks, &authority).await;
    for (enable_http2, version) in [(true, "HTTP/2.0"), (false, "HTTP/1.1")] {
        let tls = TlsConfig { ca: Some(Source::Text(authority.pem.clone())), ..TlsConfig::default() };
        let client = client(HttpClientConfig { tls, enable_http2, ..HttpClientConfig::default() });
        for _ in 0..2 {
            assert_eq!(echoed(&client, get(&url)).await.unwrap(), version);
        }
    }
}

#[tokio::test]
async fn files_of_authorities_are_read_again() {
    let tasks = Tasks::new();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ca.pem");
    let (one, two) = (authority("localhost"), authority("localhost"));
    fs::write(&path, &one.pem).unwrap();
    let address = serve(&tasks, Some(two.server())).await;
    let url = format!("https://localhost:{}/", address.rsplit(':').next().unwrap());
    let client = client(with_tls(TlsConfig { ca: Some(Source::File(path.clone())), ..TlsConfig::default() }));
    assert!(matches!(echoed(&client, get(&url)).await, Err(HttpError::Tls { .. })));
    fs::write(&path, &two.pem).unwrap();
    echoed(&client, get(&url)).await.unwrap();
}

#[test]
fn settings_are_checked_at_once() {
    let check = |tls: TlsConfig| HttpClient::new(with_tls(tls), Clock::system()).unwrap_err().message();
    let text = |text: &str| Some(Source::Text(text.to_owned()));
    let message = "tls settings: unable to use specified CA cert: no certificate in it";
    assert_eq!(check(TlsConfig { ca: text("nonsense"), ..TlsConfig::default() }), message);
    let message = "tls settings: only TLS 1.2 and 1.3 are spoken, and neither is allowed";
    assert_eq!(check(TlsConfig { max_version: Some(TlsVersion::Tls11), ..TlsConfig::default() }), message);
    for (url, message) in [
        ("ftp://proxy", "proxy: unsupported scheme \"ftp\" in proxy_url"),
        ("http://[", "proxy: parse proxy_url: invalid authority"),
    ] {
        let proxy = Proxy::Url { url: url.to_owned(), no_proxy: String::new(), connect_headers: Vec::new() };
        let config = HttpClientConfig { proxy, ..HttpClientConfig::default() };
        assert_eq!(HttpClient::new(config, Clock::system()).unwrap_err().message(), message);
    }
    let file = Some(Source::File(Path::new("/nowhere").to_owned()));
    client(with_tls(TlsConfig { ca: file, ..TlsConfig::default() }));
}

fn through(url: String, no_proxy: &str) -> HttpClient {
    let proxy = Proxy::Url { url, no_proxy: no_proxy.to_owned(), connect_headers: Vec::new() };
    client(HttpClientConfig { proxy, ..HttpClientConfig::default() })
}

#[tokio::test]
async fn plain_requests_go_whole_to_proxies() {
    let tasks = Tasks::new();
    let address = serve(&tasks, None).await;
    let client = through(format!("http://me:secret@{address}"), "direct.invalid");
    let head = echoed(&client, get("http://far.invalid/x")).await.unwrap();
    let expected =
        "GET http://far.invalid/x HTTP/1.1\r\nproxy-authorization: Basic bWU6c2VjcmV0\r\nhost: far.invalid\r\n\r\n";
    assert_eq!(head, expected);
    let error = echoed(&client, get("http://direct.invalid/")).await.unwrap_err();
    assert!(matches!(error, HttpError::Dial { .. }), "{error}");
}

#[tokio::test]
async fn secured_requests_go_through_tunnels() {
    let tasks = Tasks::new();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let proxy = format!("http://{}", listener.local_addr().unwrap());
    let asked = tasks.spawn("proxy", async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut received = Vec::new();
        while !received.ends_with(b"\r\n\r\n") {
            stream.read_buf(&mut received).await.unwrap();
        }
        stream.write_all(b"HTTP/1.1 403 Forbidden\r\n\r\n").await.unwrap();
        String::from_utf8(received).unwrap()
    });
    let error = echoed(&through(proxy, ""), get("https://far.invalid/x")).await.unwrap_err();
    assert!(matches!(error, HttpError::Proxy(_)), "{error}");
    assert!(asked.await.unwrap().starts_with("CONNECT far.invalid:443 HTTP/1.1\r\n"));
}

#[tokio::test]
async fn requests_go_through_socks() {
    let tasks = Tasks::new();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let proxy = format!("socks5://{}", listener.local_addr().unwrap());
    let asked = tasks.spawn("proxy", async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        // RFC 1928: the methods offered, then what to connect to: command 1, a name (3) with its length, and a port.
        let mut greeting = [0; 3];
        stream.read_exact(&mut greeting).await.unwrap();
        stream.write_all(&[5, 0]).await.unwrap();
        let mut request = [0; 4 + 1 + "far.invalid".len() + 2];
        stream.read_exact(&mut request).await.unwrap();
        stream.write_all(&[5, 0, 0, 1, 0, 0, 0, 0, 0, 0]).await.unwrap();
        echo(stream).await;
        request
    });
    let client = through(proxy, "");
    let head = echoed(&client, get("http://far.invalid/x")).await.unwrap();
    assert_eq!(head, "GET /x HTTP/1.1\r\nhost: far.invalid\r\n\r\n");
    drop(client);
    let request = asked.await.unwrap();
    assert_eq!(
        (&request[..5], &request[5..16], &request[16..]),
        (&[5, 1, 0, 3, 11][..], &b"far.invalid"[..], &[0, 80][..])
    );
}
