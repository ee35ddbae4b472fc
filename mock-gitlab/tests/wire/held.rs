//! Polls that are held on a connection, as the client at its other end sees it (queueing.md 7,
//! "Workhorse"). The server lets go of what it has for the connection meanwhile; nobody may notice.

use std::net::SocketAddr;

use mock_gitlab::world::{JobDefinition, Settings};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::support::{RUNNER, Server};

impl Server {
    /// What a poll that finds nothing is told.
    async fn queue_value(&self) -> String {
        let none = self.poll().await;
        none.header("x-gitlab-last-update").to_owned()
    }
}

/// A server on a socket that holds polls for a minute.
struct Serving {
    server: Server,
    address: SocketAddr,
    stop: CancellationToken,
    task: JoinHandle<()>,
    /// Current value of the runner's queue.
    value: String,
}

impl Serving {
    async fn start() -> Serving {
        let server = Server::with(Settings {
            api_ci_long_polling_duration_s: 60,
            ..Settings::default()
        });
        let value = server.queue_value().await;
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let stop = CancellationToken::new();
        let task = mock_gitlab::server::serve(listener, server.router(), stop.clone());
        Serving {
            server,
            address,
            stop,
            task: tokio::spawn(task),
            value,
        }
    }

    /// A connection whose poll is held, and that sends `more` behind it.
    async fn held(&self, version: &str, headers: &str, more: &str) -> TcpStream {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        let request = poll(version, headers, &self.value) + more;
        stream.write_all(request.as_bytes()).await.unwrap();
        // The server has one thread here and sees to its connections in the order in which they have
        // something: after these answers it has seen the poll.
        for _ in 0..2 {
            let mut other = TcpStream::connect(self.address).await.unwrap();
            let request = poll("1.1", "Connection: close\r\n", "other");
            other.write_all(request.as_bytes()).await.unwrap();
            let mut answer = String::new();
            other.read_to_string(&mut answer).await.unwrap();
            assert!(answer.starts_with("HTTP/1.1 204 "), "{answer}");
        }
        let mut byte = [0];
        let early = stream.try_read(&mut byte);
        assert!(early.is_err(), "a held poll was answered");
        stream
    }

    fn add_job(&self) {
        self.server.pipeline(vec![JobDefinition::default()]);
    }
}

fn poll(version: &str, headers: &str, last_update: &str) -> String {
    let body = format!("{{\"token\":\"{RUNNER}\",\"last_update\":\"{last_update}\"}}");
    format!(
        "POST /api/v4/jobs/request HTTP/{version}\r\nHost: x\r\nContent-Type: application/json\r\n{headers}Content-Length: {}\r\n\r\n{body}",
        body.len()
    )
}

/// Reads up to the end of a head.
async fn head(stream: &mut TcpStream) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.unwrap());
    }
    String::from_utf8(head).unwrap()
}

/// The connection goes on after the answer, and what came behind the held poll is answered after it.
#[tokio::test]
async fn the_next_request_has_its_turn() {
    let serving = Serving::start().await;
    let next = poll("1.1", "", "");
    // Behind the poll at once, after it while it is held, and after its answer.
    let mut at_once = serving.held("1.1", "", &next).await;
    let mut early = serving.held("1.1", "", "").await;
    early.write_all(next.as_bytes()).await.unwrap();
    let mut late = serving.held("1.1", "", "").await;
    for _ in 0..3 {
        serving.add_job();
    }
    for stream in [&mut at_once, &mut early, &mut late] {
        let answer = head(stream).await;
        assert!(
            answer.starts_with("HTTP/1.1 204 No Content\r\n"),
            "{answer}"
        );
        assert!(!answer.contains("connection: close"), "{answer}");
        assert!(!answer.contains("x-gitlab-last-update"), "{answer}");
        assert_eq!(answer.matches("date: ").count(), 1, "{answer}");
    }
    late.write_all(next.as_bytes()).await.unwrap();
    for stream in [&mut at_once, &mut early, &mut late] {
        let answer = head(stream).await;
        assert!(answer.starts_with("HTTP/1.1 201 "), "{answer}");
    }
}

/// The version and the client's wish about the connection hold for the answer, too.
#[tokio::test]
async fn the_answer_is_in_the_clients_words() {
    let mut serving = Serving::start().await;
    for (version, headers, goes_on) in [
        ("1.1", "Connection: close\r\n", false),
        ("1.0", "", false),
        ("1.0", "Connection: keep-alive\r\n", true),
    ] {
        let mut stream = serving.held(version, headers, "").await;
        // The value changes, and the job is gone again when the next round begins.
        serving.add_job();
        let answer = head(&mut stream).await;
        let start = format!("HTTP/{version} 204 ");
        assert!(answer.starts_with(&start), "{answer}");
        if goes_on {
            assert!(answer.contains("connection: keep-alive"), "{answer}");
        } else {
            assert_eq!(stream.read(&mut [0]).await.unwrap(), 0, "{answer}");
        }
        assert_eq!(serving.server.poll().await.status, 201);
        serving.value = serving.server.queue_value().await;
    }
}

/// A client that hangs up is not waited for.
#[tokio::test]
async fn a_client_may_hang_up() {
    let serving = Serving::start().await;
    let mut stream = serving.held("1.1", "", "").await;
    stream.shutdown().await.unwrap();
    // The server closes its side, too, without an answer.
    assert_eq!(stream.read(&mut [0]).await.unwrap(), 0);
    serving.stop.cancel();
    serving.task.await.unwrap();
}
