//! Carries bytes between a WebSocket and a terminal (executors.md 9).

use std::borrow::Cow;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use futures_util::{Sink, SinkExt as _, Stream, StreamExt as _};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::time::{Instant, MissedTickBehavior, interval_at};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, WebSocketConfig};
use tokio_tungstenite::tungstenite::{Error, Message, error::ProtocolError};

use super::exec::Admitted;

/// Keeps proxies on the way from closing a connection that is silent.
const PING: Duration = Duration::from_secs(30);
/// How long the closing frame may take to be sent.
const FAREWELL: Duration = Duration::from_secs(5);
/// Most bytes of one read from the terminal.
const READ_BYTES: usize = 16 * 1024;
/// Longest message of a client.
const MESSAGE_BYTES: usize = 1024 * 1024;

/// How bytes of the terminal are put into messages. Control frames have their usual meaning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Framing {
    /// `terminal.gitlab.com`: binary messages, bytes as they are.
    Raw,
    /// `base64.terminal.gitlab.com`: text messages, bytes in Base64.
    Base64,
}

impl Framing {
    pub(super) fn subprotocol(self) -> &'static str {
        match self {
            Framing::Raw => "terminal.gitlab.com",
            Framing::Base64 => "base64.terminal.gitlab.com",
        }
    }

    fn message(self, bytes: &[u8]) -> Message {
        match self {
            Framing::Raw => Message::Binary(Bytes::copy_from_slice(bytes)),
            Framing::Base64 => Message::Text(STANDARD.encode(bytes).into()),
        }
    }

    /// What was typed; `None` for a control frame. A message of the other kind counts as well.
    fn typed(self, message: &Message) -> Result<Option<Cow<'_, [u8]>>, String> {
        let data = match message {
            Message::Binary(bytes) => bytes.as_ref(),
            Message::Text(text) => text.as_bytes(),
            _ => return Ok(None),
        };
        match self {
            Framing::Raw => Ok(Some(data.into())),
            Framing::Base64 => match STANDARD.decode(data) {
                Ok(bytes) => Ok(Some(bytes.into())),
                Err(error) => Err(format!("message is no Base64: {error}")),
            },
        }
    }
}

/// Limits of a connection.
pub(super) fn limits() -> WebSocketConfig {
    WebSocketConfig::default()
        .read_buffer_size(READ_BYTES)
        .max_message_size(Some(MESSAGE_BYTES))
        .max_frame_size(Some(MESSAGE_BYTES))
}

/// Serves the terminal until one side ends or the session is closed; then neither is left. `client`: the
/// address for the log.
pub(super) async fn serve<S>(socket: WebSocketStream<S>, admitted: Admitted, client: &str)
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let Admitted {
        slot,
        connection,
        framing,
        ..
    } = admitted;
    let framing = framing.unwrap_or(Framing::Raw);
    let server = connection.address().to_owned();
    tracing::info!(
        clientAddr = client,
        serverAddr = server,
        "Terminal: started proxying"
    );
    let (mut sink, mut stream) = socket.split();
    let (mut output, mut input) = tokio::io::split(connection);
    let error = tokio::select! {
        biased;
        why = slot.session().closed() => why,
        why = type_in(&mut stream, &mut input, framing) => {
            format!("copying from {client} to {server}: {why}")
        }
        why = show(&mut output, &mut sink, framing) => {
            format!("copying from {server} to {client}: {why}")
        }
    };
    tracing::info!(
        clientAddr = client,
        error,
        serverAddr = server,
        "Terminal: error proxying"
    );
    slot.disconnected();
    let frame = CloseFrame {
        code: CloseCode::Normal,
        reason: "".into(),
    };
    // A client that is gone misses nothing.
    let farewell = async {
        let _ = sink.send(Message::Close(Some(frame))).await;
        let _ = sink.close().await;
    };
    let _ = tokio::time::timeout(FAREWELL, farewell).await;
    output.unsplit(input).close().await;
    tracing::info!(
        clientAddr = client,
        serverAddr = server,
        "Terminal: finished proxying"
    );
    drop(slot);
}

/// What the client types goes to the terminal; gives the reason why no more comes.
async fn type_in(
    stream: &mut (impl Stream<Item = Result<Message, Error>> + Unpin),
    input: &mut (impl AsyncWrite + Unpin),
    framing: Framing,
) -> String {
    loop {
        let message = match stream.next().await {
            Some(Ok(message)) => message,
            Some(Err(error)) => return broken(&error),
            None => return closed(None),
        };
        if let Message::Close(frame) = &message {
            return closed(frame.as_ref());
        }
        match framing.typed(&message) {
            Ok(None) => {}
            Ok(Some(bytes)) => {
                if let Err(error) = input.write_all(&bytes).await {
                    return format!("write /dev/ptmx: {}", describe(&error));
                }
            }
            Err(why) => return why,
        }
    }
}

/// What the terminal shows goes to the client; gives the reason why no more comes.
async fn show(
    output: &mut (impl AsyncRead + Unpin),
    sink: &mut (impl Sink<Message, Error = Error> + Unpin),
    framing: Framing,
) -> String {
    let mut ping = interval_at(Instant::now() + PING, PING);
    ping.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut buffer = vec![0; READ_BYTES];
    loop {
        let message = tokio::select! {
            biased;
            read = output.read(&mut buffer) => match read {
                Ok(0) => return "read /dev/ptmx: EOF".to_owned(),
                Ok(length) => framing.message(&buffer[..length]),
                Err(error) => return format!("read /dev/ptmx: {}", describe(&error)),
            },
            _ = ping.tick() => Message::Ping(Bytes::new()),
        };
        if let Err(error) = sink.send(message).await {
            return broken(&error);
        }
    }
}

/// A pty whose last process has ended is read with this error.
fn describe(error: &std::io::Error) -> String {
    const EIO: i32 = 5;
    match error.raw_os_error() {
        Some(EIO) => "input/output error".to_owned(),
        _ => error.to_string(),
    }
}

/// The recorded words for a connection that was closed by a frame.
fn closed(frame: Option<&CloseFrame>) -> String {
    let Some(frame) = frame else {
        return "websocket: close 1005 (no status)".to_owned();
    };
    let code = u16::from(frame.code);
    let name = match code {
        1000 => " (normal)",
        1001 => " (going away)",
        1002 => " (protocol error)",
        1003 => " (unsupported data)",
        1006 => " (abnormal closure)",
        1007 => " (invalid payload data)",
        1008 => " (policy violation)",
        1009 => " (message too big)",
        1011 => " (internal server error)",
        _ => "",
    };
    let reason = frame.reason.as_str();
    let colon = if reason.is_empty() { "" } else { ": " };
    format!("websocket: close {code}{name}{colon}{reason}")
}

/// The recorded words for a connection that ended without a frame, else the library's.
fn broken(error: &Error) -> String {
    let ends = match error {
        Error::Protocol(ProtocolError::ResetWithoutClosingHandshake) => true,
        Error::Io(error) => matches!(
            error.kind(),
            std::io::ErrorKind::UnexpectedEof | std::io::ErrorKind::ConnectionReset
        ),
        _ => false,
    };
    if ends {
        "websocket: close 1006 (abnormal closure): unexpected EOF".to_owned()
    } else {
        format!("websocket: {error}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Goal: bytes in messages and back, for both subprotocols; what is no Base64 ends the connection.
    #[test]
    fn framings() {
        let bytes: Vec<u8> = (0..=255).collect();
        for framing in [Framing::Raw, Framing::Base64] {
            let message = framing.message(&bytes);
            assert_eq!(message.is_text(), framing == Framing::Base64);
            let typed = framing.typed(&message).unwrap();
            assert_eq!(typed.as_deref(), Some(bytes.as_slice()));
            assert_eq!(framing.typed(&Message::Ping(Bytes::new())), Ok(None));
        }
        let message = Message::Text("bHMK".into());
        let typed = Framing::Base64.typed(&message).unwrap();
        assert_eq!(typed.as_deref(), Some(b"ls\n".as_slice()));
        assert!(Framing::Base64.typed(&Message::Text("l\n".into())).is_err());
        let text = Message::Text("ls".into());
        let typed = Framing::Raw.typed(&text).unwrap();
        assert_eq!(typed.as_deref(), Some(b"ls".as_slice()));
    }

    /// Goal: the recorded words for a client that is gone without a farewell, and those for one that
    /// closes.
    #[test]
    fn ends() {
        let gone = Error::Protocol(ProtocolError::ResetWithoutClosingHandshake);
        assert_eq!(
            broken(&gone),
            "websocket: close 1006 (abnormal closure): unexpected EOF"
        );
        let frame = |code: u16, reason: &str| CloseFrame {
            code: code.into(),
            reason: reason.into(),
        };
        assert_eq!(
            closed(Some(&frame(1000, ""))),
            "websocket: close 1000 (normal)"
        );
        assert_eq!(
            closed(Some(&frame(1001, "bye"))),
            "websocket: close 1001 (going away): bye"
        );
        assert_eq!(closed(None), "websocket: close 1005 (no status)");
    }
}
