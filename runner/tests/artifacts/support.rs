//! A server with scripted answers, and a project directory in which the helper commands run.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::io::{Cursor, Read as _, Write as _};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::Command;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http::{HeaderMap, Method, Request, Response};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tempfile::TempDir;
use tokio::net::TcpListener;
use zip::write::SimpleFileOptions;
use zip::{ZipArchive, ZipWriter};

/// Token of the job, as the recordings have it.
pub(crate) const TOKEN: &str = "glcbt-64_Job01001TokenAbCdEf";

/// A request as it came.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub(crate) method: Method,
    pub(crate) target: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Seen {
    /// A header as text; empty if absent.
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .map_or("", |value| value.to_str().unwrap())
    }

    /// The boundary, and what stands between head and tail of the one part.
    #[track_caller]
    pub(crate) fn part(&self) -> (String, String, Bytes) {
        let boundary = self
            .header("content-type")
            .strip_prefix("multipart/form-data; boundary=");
        let boundary = boundary.expect("multipart").to_owned();
        let start = format!("--{boundary}\r\n");
        let end = format!("\r\n--{boundary}--\r\n");
        let body = &self.body;
        assert!(body.starts_with(start.as_bytes()) && body.ends_with(end.as_bytes()));
        let inner = body.slice(start.len()..body.len() - end.len());
        let split = inner
            .windows(4)
            .position(|four| four == b"\r\n\r\n")
            .unwrap();
        let head = String::from_utf8(inner[..split].to_vec()).unwrap();
        (boundary, head, inner.slice(split + 4..))
    }
}

type Answer = Response<Bytes>;

/// An answer.
pub(crate) fn answer(status: u16, headers: &[(&str, &str)], body: impl Into<Bytes>) -> Answer {
    let mut builder = Response::builder().status(status);
    for (name, value) in headers {
        builder = builder.header(*name, *value);
    }
    builder.body(body.into()).unwrap()
}

/// A server on loopback; its thread ends with the test process.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    seen: Arc<Mutex<Vec<Seen>>>,
}

impl Server {
    /// Answers with what `script` gives for a request and its number, from 0.
    pub(crate) fn start(script: impl Fn(&Seen, usize) -> Answer + Send + Sync + 'static) -> Server {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let address = listener.local_addr().unwrap();
        let seen = Arc::new(Mutex::new(Vec::new()));
        let (script, kept) = (Arc::new(script), Arc::clone(&seen));
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap();
            runtime.block_on(async move {
                let listener = TcpListener::from_std(listener).unwrap();
                loop {
                    let (stream, _) = listener.accept().await.unwrap();
                    let (script, kept) = (Arc::clone(&script), Arc::clone(&kept));
                    let service = service_fn(move |request: Request<Incoming>| {
                        let (script, kept) = (Arc::clone(&script), Arc::clone(&kept));
                        async move {
                            let (head, body) = request.into_parts();
                            let seen = Seen {
                                method: head.method,
                                target: head.uri.path_and_query().unwrap().to_string(),
                                headers: head.headers,
                                body: body
                                    .collect()
                                    .await
                                    .map(http_body_util::Collected::to_bytes)
                                    .unwrap_or_default(),
                            };
                            let number = {
                                let mut kept = kept.lock().unwrap();
                                kept.push(seen.clone());
                                kept.len() - 1
                            };
                            Ok::<_, Infallible>(script(&seen, number).map(Full::new))
                        }
                    });
                    tokio::spawn(async move {
                        let connection = hyper::server::conn::http1::Builder::new();
                        let _ = connection
                            .serve_connection(TokioIo::new(stream), service)
                            .await;
                    });
                }
            });
        });
        Server { address, seen }
    }

    /// Always the same answer.
    pub(crate) fn always(status: u16) -> Server {
        Server::start(move |_, _| answer(status, &[], ""))
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }
}

/// What a command did.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) code: Option<i32>,
    /// stderr without colours and padding, and without the first record.
    pub(crate) log: Vec<String>,
}

impl Ran {
    /// Fails unless the command ended with `code`.
    #[track_caller]
    pub(crate) fn ended(self, code: i32) -> Ran {
        assert_eq!(self.code, Some(code), "{self:#?}");
        self
    }

    /// Messages without fields.
    pub(crate) fn messages(&self) -> Vec<&str> {
        self.log
            .iter()
            .map(|line| line.split("  ").next().unwrap())
            .collect()
    }
}

/// A project directory.
pub(crate) struct Project {
    folder: TempDir,
}

impl Project {
    pub(crate) fn new() -> Project {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("project")).unwrap();
        Project { folder }
    }

    /// The directory as commands name it.
    pub(crate) fn root(&self) -> PathBuf {
        self.folder.path().canonicalize().unwrap().join("project")
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.root().join(name)
    }

    /// Writes files; a name that ends in `/` is a directory.
    pub(crate) fn with(self, names: &[&str]) -> Project {
        for name in names {
            let path = self.path(name);
            if name.ends_with('/') {
                std::fs::create_dir_all(path).unwrap();
            } else {
                std::fs::create_dir_all(path.parent().unwrap()).unwrap();
                std::fs::write(path, format!("this is {name}\n")).unwrap();
            }
        }
        self
    }

    /// Runs a helper command with credentials of the server.
    pub(crate) fn helper(&self, server: &Server, command: &str, args: &[&str]) -> Ran {
        self.helper_with(server, command, args, &[])
    }

    /// The same with variables.
    pub(crate) fn helper_with(
        &self,
        server: &Server,
        command: &str,
        args: &[&str],
        variables: &[(&str, &str)],
    ) -> Ran {
        let mut credentials = vec!["--url", "", "--token", TOKEN, "--id", "1001"];
        let url = server.url();
        credentials[1] = &url;
        self.bare(command, &[&credentials, args].concat(), variables)
    }

    /// Runs a helper command.
    pub(crate) fn bare(&self, command: &str, args: &[&str], variables: &[(&str, &str)]) -> Ran {
        let output = Command::new(env!("CARGO_BIN_EXE_gitlab-runner"))
            .arg(command)
            .args(args)
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", self.folder.path())
            .env(
                "GIT_CEILING_DIRECTORIES",
                self.folder.path().canonicalize().unwrap(),
            )
            .envs(variables.iter().copied())
            .current_dir(self.root())
            .output()
            .unwrap();
        let stderr = String::from_utf8(output.stderr).unwrap();
        let log = stderr
            .lines()
            .map(plain)
            .filter(|line| !line.starts_with("Runtime platform"));
        Ran {
            code: output.status.code(),
            log: log.collect(),
        }
    }
}

/// A line without colours and padding: `message  key=value`.
fn plain(line: &str) -> String {
    let mut line = line.to_owned();
    for colour in ["\x1b[0;33m", "\x1b[31;1m", "\x1b[0;m"] {
        line = line.replace(colour, "\x1b");
    }
    let line = line.strip_prefix('\x1b').unwrap_or(&line);
    match line.split_once('\x1b') {
        Some((message, fields)) => {
            let fields = fields.replace('\x1b', "");
            match fields.trim() {
                "" => message.trim_end().to_owned(),
                fields => format!("{}  {fields}", message.trim_end()),
            }
        }
        None => line.trim_end().to_owned(),
    }
}

/// Members of a zip, by name; directories end in `/`.
#[track_caller]
pub(crate) fn members(zip: &Bytes) -> BTreeMap<String, Vec<u8>> {
    let mut archive = ZipArchive::new(Cursor::new(zip.clone())).expect("a zip");
    let mut members = BTreeMap::new();
    for index in 0..archive.len() {
        let mut file = archive.by_index(index).unwrap();
        let mut content = Vec::new();
        file.read_to_end(&mut content).unwrap();
        members.insert(file.name().unwrap().into_owned(), content);
    }
    members
}

/// A zip of stored files.
pub(crate) fn zip_of(files: &[(&str, &[u8])]) -> Bytes {
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    let options = SimpleFileOptions::default().compression_method(zip::CompressionMethod::Stored);
    for (name, content) in files {
        writer.start_file(*name, options).unwrap();
        writer.write_all(content).unwrap();
    }
    writer.finish().unwrap().into_inner().into()
}
