//! Headless Chromium, by its DevTools protocol over a web socket on loopback.

use std::io::{BufRead as _, BufReader};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use base64::Engine as _;
use serde_json::{Value, json};
use tempfile::TempDir;
use tungstenite::{Message, WebSocket};

/// Longest wait for anything.
const LIMIT: Duration = Duration::from_mins(2);

/// A browser with one page.
pub(crate) struct Browser {
    process: Child,
    socket: WebSocket<TcpStream>,
    session: Option<String>,
    number: u64,
    /// What the browser told without being asked.
    pub(crate) events: Vec<Value>,
    _profile: TempDir,
}

/// The program, under the names that distributions give it.
fn program() -> Option<String> {
    let names = std::env::var("CHROMIUM")
        .into_iter()
        .chain(["chromium", "chromium-browser", "google-chrome"].map(str::to_owned));
    names.into_iter().find(|name| {
        let version = Command::new(name)
            .arg("--version")
            .stderr(Stdio::null())
            .output();
        version.is_ok_and(|output| output.status.success())
    })
}

impl Browser {
    /// Starts it; `None` where there is none, which must not happen in CI.
    pub(crate) fn start() -> Option<Browser> {
        let Some(program) = program() else {
            assert!(
                std::env::var_os("CI").is_none(),
                "Chromium is missing; .ci/run installs it"
            );
            println!("skipped: Chromium is not installed");
            return None;
        };
        let profile = tempfile::tempdir().expect("a folder");
        let mut process = Command::new(program)
            .args([
                "--headless=new",
                "--no-sandbox",
                "--disable-gpu",
                "--no-first-run",
            ])
            .args([
                "--disable-dev-shm-usage",
                "--disable-background-networking",
                "--disable-sync",
            ])
            .args([
                "--disable-component-update",
                "--disable-extensions",
                "--mute-audio",
            ])
            .args([
                "--hide-scrollbars",
                "--force-color-profile=srgb",
                "--no-proxy-server",
            ])
            .args(["--remote-debugging-port=0", "--window-size=1280,1000"])
            .arg(format!("--user-data-dir={}", profile.path().display()))
            .arg("about:blank")
            .env("HOME", profile.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("Chromium");
        let mut lines = BufReader::new(process.stderr.take().expect("a pipe")).lines();
        let mut said = Vec::new();
        let url = loop {
            match lines.next() {
                Some(Ok(line)) => match line.split_once("DevTools listening on ") {
                    Some((_, url)) => break url.trim().to_owned(),
                    None => said.push(line),
                },
                _ => panic!("Chromium ended before it listened: {}", said.join("\n")),
            }
        };
        // Its messages must go somewhere, or it stops.
        std::thread::spawn(move || lines.for_each(drop));
        let address = url
            .strip_prefix("ws://")
            .and_then(|rest| rest.split('/').next());
        let stream = TcpStream::connect(address.expect("an address")).expect("a connection");
        stream.set_read_timeout(Some(LIMIT)).expect("a time limit");
        let (socket, _) = tungstenite::client(&url, stream).expect("a web socket");
        let mut browser = Browser {
            process,
            socket,
            session: None,
            number: 0,
            events: Vec::new(),
            _profile: profile,
        };
        let target = browser.call("Target.createTarget", &json!({ "url": "about:blank" }));
        let attach = json!({ "targetId": target["targetId"], "flatten": true });
        let session = browser.call("Target.attachToTarget", &attach);
        browser.session = session["sessionId"].as_str().map(str::to_owned);
        for domain in ["Page", "Runtime", "Log", "Network", "Accessibility"] {
            browser.call(&format!("{domain}.enable"), &json!({}));
        }
        Some(browser)
    }

    fn read(&mut self) -> Value {
        loop {
            if let Message::Text(text) = self.socket.read().expect("a message of the browser") {
                return serde_json::from_str(&text).expect("JSON");
            }
        }
    }

    /// Calls a method and waits for its answer.
    pub(crate) fn call(&mut self, method: &str, parameters: &Value) -> Value {
        self.number += 1;
        let mut message = json!({ "id": self.number, "method": method, "params": parameters });
        if let Some(session) = &self.session {
            message["sessionId"] = json!(session);
        }
        let message = Message::text(message.to_string());
        self.socket.send(message).expect("the browser listens");
        loop {
            let mut answer = self.read();
            if answer["id"] == json!(self.number) {
                assert!(answer["error"].is_null(), "{method}: {}", answer["error"]);
                return answer["result"].take();
            }
            self.events.push(answer);
        }
    }

    /// Goes to an address and waits until it is loaded.
    pub(crate) fn open(&mut self, url: &str) {
        // Of the page that is left.
        self.events
            .retain(|event| event["method"] != "Page.loadEventFired");
        self.call("Page.navigate", &json!({ "url": url }));
        let start = Instant::now();
        while !self
            .events
            .iter()
            .any(|event| event["method"] == "Page.loadEventFired")
        {
            assert!(start.elapsed() < LIMIT, "{url} does not load");
            let event = self.read();
            self.events.push(event);
        }
    }

    /// The value of an expression, which may be a promise.
    pub(crate) fn value(&mut self, expression: &str) -> Value {
        let mut result = self.call(
            "Runtime.evaluate",
            &json!({ "expression": expression, "awaitPromise": true, "returnByValue": true }),
        );
        assert!(
            result["exceptionDetails"].is_null(),
            "{expression}: {}",
            result["exceptionDetails"]
        );
        result["result"]["value"].take()
    }

    /// Waits until an expression is true; it is looked at whenever the page changes.
    pub(crate) fn wait(&mut self, condition: &str) {
        let wait = format!(
            "new Promise((done) => {{
               const look = () => ({condition}) && (observer.disconnect(), done(true));
               const observer = new MutationObserver(look);
               observer.observe(document, {{ subtree: true, childList: true, characterData: true, attributes: true }});
               look();
               setTimeout(() => done(false), {});
             }})",
            LIMIT.as_millis() / 2
        );
        let text = "document.querySelector('main').innerText";
        assert_eq!(
            self.value(&wait),
            json!(true),
            "waited for {condition}: {}",
            self.value(text)
        );
    }

    /// Presses a key.
    pub(crate) fn press(&mut self, key: &str, code: u32, text: &str) {
        for kind in ["keyDown", "keyUp"] {
            let mut event =
                json!({ "type": kind, "key": key, "code": key, "windowsVirtualKeyCode": code });
            if kind == "keyDown" && !text.is_empty() {
                event["text"] = json!(text);
            }
            self.call("Input.dispatchKeyEvent", &event);
        }
    }

    /// Light or dark.
    pub(crate) fn scheme(&mut self, name: &str) {
        let features = json!([{ "name": "prefers-color-scheme", "value": name }]);
        self.call(
            "Emulation.setEmulatedMedia",
            &json!({ "features": features }),
        );
    }

    /// A picture of the whole page, written below the target folder for people to look at.
    pub(crate) fn picture(&mut self, name: &str) {
        let shot = self.call(
            "Page.captureScreenshot",
            &json!({ "captureBeyondViewport": true, "format": "png" }),
        );
        let data = shot["data"].as_str().expect("data");
        let bytes = base64::engine::general_purpose::STANDARD
            .decode(data)
            .expect("base64");
        assert!(bytes.starts_with(b"\x89PNG"));
        let place = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        std::fs::write(place, bytes).expect("a file");
    }

    /// Nothing went wrong in the page, and it asked nobody but the server.
    pub(crate) fn is_content(&self, origin: &str) {
        for event in &self.events {
            let what = &event["params"];
            match event["method"].as_str().unwrap_or_default() {
                "Runtime.exceptionThrown" => panic!("an exception: {what}"),
                "Log.entryAdded" => panic!("the browser complains: {what}"),
                "Network.requestWillBeSent" => {
                    let url = what["request"]["url"].as_str().unwrap_or_default();
                    let own = url.starts_with(&format!("{origin}/"));
                    assert!(
                        own || url.starts_with("data:") || url == "about:blank",
                        "{url}"
                    );
                }
                _ => {}
            }
        }
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // It may be gone already.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
