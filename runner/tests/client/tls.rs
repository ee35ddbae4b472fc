//! TLS over real sockets (wire.md 1.4).

use std::path::Path;
use std::time::Duration;

use runner::client::{
    ApiClient, JobRequestResult, ReqwestTransport, TlsData, TlsFiles, TransportOptions,
};
use tokio::io::AsyncReadExt as _;
use tokio::net::TcpListener;

use super::certs::{Authority, Pair, TlsServer, self_signed, write};
use super::raw::RawServer;
use super::support::{Api, client_with, logged, poll};

const EMPTY: &[u8] = b"HTTP/1.1 204 No Content\r\n\r\n";
const JOB: &[u8] = b"HTTP/1.1 201 Created\r\nContent-Type: application/json\r\n\
Content-Length: 22\r\n\r\n{\"id\":1,\"token\":\"tok\"}";

fn client(url: &str, tls: TlsFiles) -> ApiClient {
    client_with(
        url,
        ReqwestTransport::new(TransportOptions::for_url(url, tls)),
    )
}

fn ca_file(path: &Path) -> TlsFiles {
    TlsFiles {
        ca: path.to_str().unwrap().to_owned(),
        ..TlsFiles::default()
    }
}

fn in_directory(path: &Path) -> TlsFiles {
    TlsFiles {
        directory: Some(path.to_owned()),
        ..TlsFiles::default()
    }
}

async fn works(client: &ApiClient) -> bool {
    matches!(poll(client).await.result, JobRequestResult::NoJob)
}

async fn job_tls(client: &ApiClient) -> TlsData {
    match poll(client).await.result {
        JobRequestResult::Job(job) => job.tls,
        other => panic!("{other:?}"),
    }
}

/// The first bytes of a connection offer TLS 1.3 and 1.2, nothing older, and no ALPN.
///
/// Proves WIRE-CON-10.
#[tokio::test]
async fn what_the_client_offers() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!(
        "https://localhost:{}",
        listener.local_addr().unwrap().port()
    );
    let directory = tempfile::tempdir().unwrap();
    let ca = directory.path().join("ca.crt");
    write(&ca, &Authority::root("a").pem(), 0);
    let client = client(&url, ca_file(&ca));
    let hello = async {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut head = [0; 5];
        stream.read_exact(&mut head).await.unwrap();
        // A handshake record.
        assert_eq!(head[0], 22);
        let mut body = vec![0; usize::from(u16::from_be_bytes([head[3], head[4]]))];
        stream.read_exact(&mut body).await.unwrap();
        body
    };
    let (_, hello) = tokio::join!(poll(&client), hello);
    let extensions = extensions(&hello);
    let supported = extensions.iter().find(|(kind, _)| *kind == 43);
    let versions = supported.expect("supported_versions").1;
    assert_eq!(versions, [4, 3, 4, 3, 3]);
    assert!(extensions.iter().all(|(kind, _)| *kind != 16), "ALPN");
}

/// Type and content of the extensions of a client hello (RFC 8446, 4.1.2).
fn extensions(hello: &[u8]) -> Vec<(u16, &[u8])> {
    let u16_at = |bytes: &[u8]| usize::from(u16::from_be_bytes([bytes[0], bytes[1]]));
    assert_eq!(hello[0], 1, "client hello");
    // Type, length, legacy version, random.
    let rest = &hello[4 + 2 + 32..];
    let rest = &rest[1 + usize::from(rest[0])..];
    let rest = &rest[2 + u16_at(rest)..];
    let rest = &rest[1 + usize::from(rest[0])..];
    let mut rest = &rest[2..];
    let mut found = Vec::new();
    while rest.len() >= 4 {
        let length = u16_at(&rest[2..]);
        found.push((u16_at(rest) as u16, &rest[4..4 + length]));
        rest = &rest[4 + length..];
    }
    found
}

/// Which servers are believed with which CA file.
///
/// Proves WIRE-CON-10.
#[tokio::test]
async fn servers_that_are_believed() {
    let directory = tempfile::tempdir().unwrap();
    let ours = Authority::root("ours");
    let below = ours.below("below ours");
    let others = Authority::root("others");
    let good = ours.server(&["localhost"]);
    let mut chained = below.server(&["localhost"]);
    let unchained = chained.clone();
    chained.cert += &below.pem();
    let own = self_signed(&["localhost"], true);
    let own_plain = self_signed(&["localhost"], false);
    let own_elsewhere = self_signed(&["elsewhere.test"], true);
    let garbage = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    let file = |text: String| text;
    for (case, pair, ca, believed) in [
        ("signed by the file's", &good, file(ours.pem()), true),
        (
            "among several",
            &good,
            file(others.pem() + &ours.pem()),
            true,
        ),
        (
            "beside garbage",
            &good,
            file(garbage.to_owned() + &ours.pem()),
            true,
        ),
        ("by way of another", &chained, file(ours.pem()), true),
        ("a link is missing", &unchained, file(ours.pem()), false),
        ("the link is trusted", &unchained, file(below.pem()), true),
        ("signed by others", &good, file(others.pem()), false),
        ("no PEM", &good, file("no PEM".to_owned()), false),
        ("garbage only", &good, file(garbage.to_owned()), false),
        ("its own, marked as CA", &own, file(own.cert.clone()), true),
        ("its own", &own_plain, file(own_plain.cert.clone()), true),
        ("another's own", &own, file(own_plain.cert.clone()), false),
        (
            "its own, by another name",
            &own_elsewhere,
            file(own_elsewhere.cert.clone()),
            false,
        ),
        (
            "by another name",
            &ours.server(&["elsewhere.test"]),
            file(ours.pem()),
            false,
        ),
        (
            "a client's certificate",
            &ours.client("localhost"),
            file(ours.pem()),
            false,
        ),
    ] {
        let path = directory.path().join("ca.crt");
        write(&path, &ca, 0);
        let server = TlsServer::start(pair, None, EMPTY).await;
        let client = client(&server.url(), ca_file(&path));
        let (seen, log) = logged(works(&client)).await;
        assert_eq!(seen, believed, "{case}: {log}");
        assert_eq!(server.heads().len(), usize::from(believed), "{case}");
        let complains = ["no PEM", "garbage only"].contains(&case);
        assert_eq!(log.contains("Failed to parse PEM"), complains, "{case}");
    }
}

/// Files in the directory are found by the host's name without its port; those that are named in the
/// entry win; a client certificate without its key is not used.
///
/// Proves WIRE-CON-11.
#[tokio::test]
async fn files_by_name_of_the_host() {
    let ours = Authority::root("ours");
    let others = Authority::root("others");
    let pair = ours.server(&["localhost"]);
    let server = TlsServer::start(&pair, Some(&ours), EMPTY).await;
    let first = ours.client("first");
    let second = ours.client("second");
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name);

    assert!(!works(&client(&server.url(), in_directory(directory.path()))).await);
    write(&path("localhost.crt"), &ours.pem(), 0);
    let shown = async |tls: TlsFiles| {
        assert!(works(&client(&server.url(), tls)).await);
        server.clients().pop().unwrap()
    };
    assert_eq!(shown(in_directory(directory.path())).await, None);
    write(&path("localhost.auth.crt"), &first.cert, 0);
    assert_eq!(shown(in_directory(directory.path())).await, None);
    write(&path("localhost.auth.key"), &first.key, 0);
    assert_eq!(
        shown(in_directory(directory.path())).await,
        Some(first.leaf())
    );

    // Named files.
    write(&path("second.crt"), &second.cert, 0);
    write(&path("second.key"), &second.key, 0);
    let text = |name: &str| path(name).to_str().unwrap().to_owned();
    let named = TlsFiles {
        cert: text("second.crt"),
        key: text("second.key"),
        ..in_directory(directory.path())
    };
    assert_eq!(shown(named).await, Some(second.leaf()));
    write(&path("others.crt"), &others.pem(), 0);
    let wrong = TlsFiles {
        ca: text("others.crt"),
        ..in_directory(directory.path())
    };
    assert!(!works(&client(&server.url(), wrong)).await);
    let mismatch = TlsFiles {
        cert: text("second.crt"),
        ..in_directory(directory.path())
    };
    let (none, log) = logged(shown(mismatch)).await;
    assert_eq!(none, None);
    assert!(log.contains("Failed to load the client certificate"));
    assert!(!log.contains(&first.key[30..60]));
}

/// A file that changes takes effect on the next request, and only then is a new connection made.
///
/// Proves WIRE-CON-12.
#[tokio::test]
async fn changed_files_take_effect() {
    let ours = Authority::root("ours");
    let others = Authority::root("others");
    let directory = tempfile::tempdir().unwrap();
    let ca = directory.path().join("localhost.crt");
    let cert = directory.path().join("localhost.auth.crt");
    let key = directory.path().join("localhost.auth.key");
    let pair = ours.server(&["localhost"]);
    let server = TlsServer::start(&pair, Some(&ours), EMPTY).await;
    let client = client(&server.url(), in_directory(directory.path()));
    let connections = || server.clients().len();
    let change = |pair: &Pair, minute| {
        write(&cert, &pair.cert, minute);
        write(&key, &pair.key, minute);
    };

    write(&ca, &others.pem(), 1);
    assert!(!works(&client).await);
    write(&ca, &ours.pem(), 2);
    assert!(works(&client).await);
    assert!(works(&client).await);
    assert_eq!(connections(), 1);
    assert_eq!(server.clients().pop().unwrap(), None);
    for (minute, name) in [(3, "first"), (4, "second")] {
        let pair = ours.client(name);
        change(&pair, minute);
        assert!(works(&client).await);
        assert!(works(&client).await);
        assert_eq!(server.clients().pop().unwrap(), Some(pair.leaf()));
    }
    assert_eq!(connections(), 3);
    std::fs::remove_file(&key).unwrap();
    assert!(works(&client).await);
    assert_eq!(server.clients().pop().unwrap(), None);
    write(&ca, &others.pem(), 5);
    assert!(!works(&client).await);
    assert_eq!(connections(), 4);
}

/// Connections with TLS are closed at their age too.
///
/// Proves WIRE-CON-12.
#[tokio::test]
async fn connections_are_closed_at_their_age() {
    let ours = Authority::root("ours");
    let directory = tempfile::tempdir().unwrap();
    let ca = directory.path().join("ca.crt");
    write(&ca, &ours.pem(), 0);
    let server = TlsServer::start(&ours.server(&["localhost"]), None, EMPTY).await;
    let url = server.url();
    let client = client_with(
        &url,
        ReqwestTransport::new(TransportOptions {
            connection_max_age: Duration::from_mins(1),
            ..TransportOptions::for_url(&url, ca_file(&ca))
        }),
    );
    for (seconds, connections) in [(0, 1), (30, 1), (29, 1), (1, 2), (59, 2), (1, 3)] {
        tokio::time::pause();
        tokio::time::advance(Duration::from_secs(seconds)).await;
        tokio::time::resume();
        assert!(works(&client).await);
        assert_eq!(server.clients().len(), connections);
    }
}

/// What a job gets: the CA file, or without one the chain that proved the server; nothing from a plain
/// connection, and nothing from the body.
///
/// Proves WIRE-PAY-13.
#[tokio::test]
async fn certificates_for_the_job() {
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name);
    let ours = Authority::root("ours");
    let me = ours.client("me");
    let server = TlsServer::start(&ours.server(&["localhost"]), Some(&ours), JOB).await;
    let file = ours.pem() + &Authority::root("more").pem() + "a comment\n";
    write(&path("localhost.crt"), &file, 0);
    let data = job_tls(&client(&server.url(), in_directory(directory.path()))).await;
    assert_eq!(data.ca_chain, file);
    assert_eq!((data.cert, data.key), (String::new(), String::new()));

    write(&path("localhost.auth.crt"), &me.cert, 0);
    write(&path("localhost.auth.key"), &me.key, 0);
    let data = job_tls(&client(&server.url(), in_directory(directory.path()))).await;
    assert_eq!(data.ca_chain, file);
    assert_eq!((data.cert, data.key), (me.cert, me.key));

    let body = r#"{"id":1,"token":"t","tls_data":{"ca_chain":"x"},"tls_ca_chain":"x"}"#;
    let answer = format!(
        "HTTP/1.1 201 Created\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    let plain = RawServer::start(move |_| answer.clone().into_bytes()).await;
    let url = plain.url().replace("127.0.0.1", "localhost");
    let data = job_tls(&client(&url, in_directory(directory.path()))).await;
    assert!(data == TlsData::default());
}

/// A redirect from plain HTTP to TLS of the same host uses the files of the host, and takes tokens along;
/// the job gets the certificates of the connection that it came over.
///
/// Proves WIRE-PAY-13.
#[tokio::test]
async fn on_from_http_to_https() {
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name);
    let ours = Authority::root("ours");
    let me = ours.client("me");
    write(&path("localhost.crt"), &ours.pem(), 0);
    write(&path("localhost.auth.crt"), &me.cert, 0);
    write(&path("localhost.auth.key"), &me.key, 0);
    let server = TlsServer::start(&ours.server(&["localhost"]), Some(&ours), JOB).await;
    let target = server.url();
    let plain = RawServer::start(move |head| {
        let path = head.split(' ').nth(1).unwrap();
        let answer = "HTTP/1.1 308 Permanent Redirect\r\nContent-Length: 0\r\n";
        format!("{answer}Location: {target}{path}\r\n\r\n").into_bytes()
    })
    .await;
    let url = plain.url().replace("127.0.0.1", "localhost");
    let client = client(&url, in_directory(directory.path()));
    let data = job_tls(&client).await;
    assert_eq!(data.ca_chain, ours.pem());
    assert_eq!(data.key, me.key);
    Api::Patch.call(&client).await;
    assert_eq!(server.clients(), [Some(me.leaf())]);
    let heads = server.heads();
    assert!(heads[0].starts_with("POST /api/v4/jobs/request "));
    assert!(heads[0].contains("\r\nrunner-token: "), "{}", heads[0]);
    assert!(heads[1].starts_with("PATCH /api/v4/jobs/1001/trace?debug_trace=false "));
    assert!(heads[1].contains("\r\njob-token: "), "{}", heads[1]);
}
