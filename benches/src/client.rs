//! A client that keeps its connections and does nothing but send.

use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};

use bytes::Bytes;
use http::{Request, header};
use http_body_util::{BodyExt as _, Full};
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

    /// One poll, as a runner with nothing to do sends it.
    ///
    /// # Errors
    ///
    /// When the answer is not 204.
    pub async fn poll(&mut self) -> Result<(), LoadError> {
        let request = Request::post("/api/v4/jobs/request")
            .header(header::HOST, &self.host)
            .header(header::CONTENT_TYPE, "application/json")
            .body(Full::new(self.body.clone()))?;
        self.sender.ready().await?;
        let answer = self.sender.send_request(request).await?;
        let status = answer.status();
        answer.into_body().collect().await?;
        if status == http::StatusCode::NO_CONTENT {
            Ok(())
        } else {
            Err(format!("a poll was answered {status}").into())
        }
    }
}
