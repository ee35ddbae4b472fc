//! A client that keeps its connections and does nothing but send.

use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};

use bytes::Bytes;
use http::{Request, header};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::client::conn::http1::SendRequest;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

use crate::load::{LoadError, poll_request};
use crate::serve::Kind;

/// The option under which this program serves.
pub const SERVE: &str = "--serve";

/// A server in a process of its own; killed when dropped.
#[derive(Debug)]
pub struct Server {
    child: Child,
    /// Where it listens.
    pub address: SocketAddr,
}

impl Server {
    /// Starts `program` as a server.
    ///
    /// # Errors
    ///
    /// When it cannot be started, or does not say where it listens.
    pub fn start(program: &std::path::Path, kind: Kind) -> Result<Server, LoadError> {
        let mut child = Command::new(program)
            .args([SERVE, kind.name()])
            .stdout(Stdio::piped())
            .spawn()?;
        let stdout = child.stdout.take().ok_or("the server has no output")?;
        let mut line = String::new();
        BufReader::new(stdout).read_line(&mut line)?;
        let address = line.trim().parse()?;
        Ok(Server { child, address })
    }

    /// Its process.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A kept-alive connection.
#[derive(Debug)]
pub struct Connection {
    sender: SendRequest<Full<Bytes>>,
    body: Bytes,
    host: String,
}

impl Connection {
    /// Connects. Needs a tokio runtime.
    ///
    /// # Errors
    ///
    /// When nobody listens.
    pub async fn open(address: SocketAddr) -> Result<Connection, LoadError> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        let (sender, connection) =
            hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
        tokio::spawn(connection);
        Ok(Connection {
            sender,
            body: serde_json::to_vec(&poll_request())?.into(),
            host: address.to_string(),
        })
    }

    /// Takes a job: its id and token.
    ///
    /// # Errors
    ///
    /// When there is none.
    pub async fn take_job(&mut self) -> Result<(i64, String), LoadError> {
        let (status, body) = self.send(self.poll_of(self.body.clone())?).await?;
        if status != http::StatusCode::CREATED {
            return Err(format!("a poll was answered {status}, a job was expected").into());
        }
        let job: serde_json::Value = serde_json::from_slice(&body)?;
        let id = job["id"].as_i64().ok_or("a job without an id")?;
        let token = job["token"].as_str().ok_or("a job without a token")?;
        Ok((id, token.to_owned()))
    }

    /// Sends a piece of a job's log, which starts at `start`.
    ///
    /// # Errors
    ///
    /// When it is not taken.
    pub async fn patch(
        &mut self,
        job: i64,
        token: &str,
        start: usize,
        piece: Bytes,
    ) -> Result<(), LoadError> {
        let end = start + piece.len() - 1;
        let request = Request::patch(format!("/api/v4/jobs/{job}/trace"))
            .header(header::HOST, &self.host)
            .header(header::CONTENT_TYPE, "text/plain")
            .header(header::CONTENT_RANGE, format!("{start}-{end}"))
            .header("job-token", token)
            .body(Full::new(piece))?;
        let (status, _) = self.send(request).await?;
        if status.is_success() {
            Ok(())
        } else {
            Err(format!("a piece of a log was answered {status}").into())
        }
    }

    /// The value that a poll gets to be held with next time.
    ///
    /// # Errors
    ///
    /// When the answer has none.
    pub async fn last_update(&mut self) -> Result<String, LoadError> {
        let request = self.poll_of(self.body.clone())?;
        self.sender.ready().await?;
        let answer = self.sender.send_request(request).await?;
        let value = answer.headers().get("x-gitlab-last-update");
        let value = value.ok_or("a 204 without a value")?.to_str()?.to_owned();
        answer.into_body().collect().await?;
        Ok(value)
    }

    /// Sends a poll that will be held, and does not wait for its answer: that comes with the future which
    /// this gives. The request is on its way when this returns.
    ///
    /// # Errors
    ///
    /// When the connection is gone.
    pub async fn held_poll(
        &mut self,
        last_update: &str,
    ) -> Result<impl Future<Output = hyper::Result<http::Response<Incoming>>> + use<>, LoadError>
    {
        let body = serde_json::to_vec(&protocol::JobRequest {
            last_update: last_update.to_owned(),
            ..poll_request()
        })?;
        let request = self.poll_of(body.into())?;
        self.sender.ready().await?;
        Ok(self.sender.send_request(request))
    }

    fn poll_of(&self, body: Bytes) -> Result<Request<Full<Bytes>>, LoadError> {
        Ok(Request::post("/api/v4/jobs/request")
            .header(header::HOST, &self.host)
            .header(header::CONTENT_TYPE, "application/json")
            .body(Full::new(body))?)
    }

    async fn send(
        &mut self,
        request: Request<Full<Bytes>>,
    ) -> Result<(http::StatusCode, Bytes), LoadError> {
        self.sender.ready().await?;
        let answer = self.sender.send_request(request).await?;
        let status = answer.status();
        Ok((status, answer.into_body().collect().await?.to_bytes()))
    }

    /// One poll, as a runner with nothing to do sends it.
    ///
    /// # Errors
    ///
    /// When the answer is not 204.
    pub async fn poll(&mut self) -> Result<(), LoadError> {
        let (status, _) = self.send(self.poll_of(self.body.clone())?).await?;
        if status == http::StatusCode::NO_CONTENT {
            Ok(())
        } else {
            Err(format!("a poll was answered {status}").into())
        }
    }
}
