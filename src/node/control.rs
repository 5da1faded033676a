//! The control socket: programs of the same user on this machine ask the running node.
//!
//! Made under umask 077, checks the peer's uid, is replaced when stale; for a path over 90 bytes it lies in the
//! user's runtime directory under a hash of the home, since a socket's path has some 108 bytes (design 5). An
//! unlocked node obeys any program of the same user.

use std::io;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::mpsc;

use super::api::{Answer, Envelope, Failure, FailureCode};
use super::client::ANSWERS_MAX;
use super::{Asked, Asking};

/// Longest path of a socket beside its home, in bytes.
const SOCKET_PATH_BYTES_MAX: usize = 90;

/// Longest request line, in bytes: texts of an opinion, not images.
const REQUEST_BYTES_MAX: u64 = 1024 * 1024;

/// How long a program waits for a node that holds the lock to open its socket, or to end.
pub(super) const PATIENCE: Duration = Duration::from_secs(10);

/// Where the socket of a home lies.
pub fn socket_path(home: &Path) -> PathBuf {
    let beside = home.join("control.sock");
    if beside.as_os_str().len() <= SOCKET_PATH_BYTES_MAX {
        return beside;
    }
    let name = crate::encoding::id::base32(&blake3::hash(home.as_os_str().as_encoded_bytes()).as_bytes()[..10]);
    runtime_directory().join(format!("overread-{name}.sock"))
}

fn runtime_directory() -> PathBuf {
    match std::env::var_os("XDG_RUNTIME_DIR") {
        Some(directory) if !directory.is_empty() => PathBuf::from(directory),
        _ => std::env::temp_dir().join(format!("overread-{}", rustix::process::getuid().as_raw())),
    }
}

/// A connection to the running node, if there is one.
pub async fn connect(home: &Path) -> Option<UnixStream> {
    let stream = UnixStream::connect(socket_path(home)).await.ok()?;
    same_user(&stream).then_some(stream)
}

/// Listens on the home's socket; who calls this holds the home's lock, so an existing socket is stale.
pub fn listen(home: &Path) -> io::Result<UnixListener> {
    let path = socket_path(home);
    if let Some(parent) = path.parent().filter(|parent| !parent.exists()) {
        std::fs::DirBuilder::new().mode(0o700).recursive(true).create(parent)?;
    }
    match std::fs::remove_file(&path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let before = rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o077));
    let listener = UnixListener::bind(&path);
    rustix::process::umask(before);
    let listener = listener?;
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600))?;
    Ok(listener)
}

/// Serves the socket until the node ends. Each program at it keeps the node from ending by itself.
pub(super) async fn serve(listener: UnixListener, node: mpsc::WeakSender<Asking>) {
    loop {
        match listener.accept().await {
            Ok((stream, _)) if same_user(&stream) => {
                let Some(node) = node.upgrade() else { return };
                tokio::spawn(serve_one(stream, node));
            }
            Ok(_) => tracing::warn!("a program of another user knocked at the control socket"),
            Err(error) => {
                tracing::warn!(%error, "the control socket fails");
                tokio::time::sleep(Duration::from_millis(200)).await;
            }
        }
    }
}

fn same_user(stream: &UnixStream) -> bool {
    stream.peer_cred().is_ok_and(|peer| peer.uid() == rustix::process::getuid().as_raw())
}

/// Requests of one program, one after the other; a line that comes while one is carried out answers its question.
async fn serve_one(stream: UnixStream, node: mpsc::Sender<Asking>) {
    let (reader, mut writer) = stream.into_split();
    let mut lines = Lines::new(reader);
    loop {
        let Some(line) = lines.next().await else { return };
        let Ok(envelope) = serde_json::from_slice::<Envelope>(&line) else {
            let failure = Failure::new(FailureCode::WrongUse, "The running node does not understand this request.")
                .hint("Both programs must be of the same version: restart the node.");
            let _ = write_line(&mut writer, &Answer::Failed(failure)).await;
            return;
        };
        let (answers, mut answered) = mpsc::channel(ANSWERS_MAX);
        let (replies, replied) = mpsc::channel(1);
        if node.send(Asking::Request(Asked { envelope, answers, replies: replied })).await.is_err() {
            return;
        }
        loop {
            tokio::select! {
                answer = answered.recv() => {
                    let Some(answer) = answer else { return };
                    let ended = !matches!(answer, Answer::Event(_));
                    if write_line(&mut writer, &answer).await.is_err() {
                        return; // dropping `answered` tells the node that nobody waits any more
                    }
                    if ended {
                        break;
                    }
                }
                line = lines.next() => {
                    let Some(line) = line else { return };
                    if let Ok(reply) = serde_json::from_slice::<Envelope>(&line) {
                        let _ = replies.try_send(reply.request);
                    }
                }
            }
        }
    }
}

/// Lines as they come in. What was read of one outlives the wait for the rest of it, which an answer may end.
struct Lines<R> {
    reader: BufReader<R>,
    line: zeroize::Zeroizing<Vec<u8>>,
}

impl<R: AsyncRead + Unpin> Lines<R> {
    fn new(reader: R) -> Self {
        Self { reader: BufReader::new(reader), line: zeroize::Zeroizing::default() }
    }

    /// The next line; `None` if none will come, or if it is too long.
    async fn next(&mut self) -> Option<zeroize::Zeroizing<Vec<u8>>> {
        let room = REQUEST_BYTES_MAX.saturating_sub(self.line.len() as u64);
        (&mut self.reader).take(room).read_until(b'\n', &mut self.line).await.ok()?;
        self.line.ends_with(b"\n").then(|| std::mem::take(&mut self.line))
    }
}

async fn write_line(writer: &mut (impl AsyncWriteExt + Unpin), answer: &Answer) -> io::Result<()> {
    let mut line = serde_json::to_vec(answer).map_err(io::Error::other)?;
    line.push(b'\n');
    writer.write_all(&line).await
}

#[cfg(test)]
mod tests {
    use super::super::api::{Event, Reply, Request};
    use super::*;

    #[tokio::test]
    async fn a_reply_that_comes_in_pieces_between_events_arrives_whole() {
        let (program, socket) = UnixStream::pair().unwrap();
        let (asking, mut asked) = mpsc::channel(1);
        tokio::spawn(serve_one(socket, asking));
        let (reader, mut writer) = program.into_split();
        let mut answers = BufReader::new(reader).lines();
        let line = |request| {
            let envelope = Envelope { request, passphrase: None, request_id: None, wait_seconds: None };
            serde_json::to_string(&envelope).unwrap() + "\n"
        };
        writer.write_all(line(Request::PairOpen).as_bytes()).await.unwrap();
        let Some(Asking::Request(mut request)) = asked.recv().await else { panic!("nothing is asked") };
        for piece in line(Request::Confirm { yes: true }).as_bytes().chunks(4) {
            writer.write_all(piece).await.unwrap();
            for _ in 0..2 {
                let event = Event::Notice { text: "meanwhile".into() };
                request.answers.send(Answer::Event(event)).await.unwrap();
                assert!(answers.next_line().await.unwrap().unwrap().contains("meanwhile"));
            }
        }
        let reply = tokio::time::timeout(PATIENCE, request.replies.recv()).await;
        assert!(matches!(reply, Ok(Some(Request::Confirm { yes: true }))), "{reply:?}");
        request.answers.send(Answer::Done(Box::new(Reply::Nothing {}))).await.unwrap();
        assert!(answers.next_line().await.unwrap().is_some());
    }

    #[tokio::test]
    async fn a_line_that_is_too_long_or_has_no_end_is_none() {
        for bytes in [vec![b'a'; REQUEST_BYTES_MAX as usize + 1], b"no end".to_vec(), Vec::new()] {
            assert!(Lines::new(bytes.as_slice()).next().await.is_none());
        }
        let mut lines = Lines::new(&b"one\ntwo\n"[..]);
        for expected in [Some("one\n"), Some("two\n"), None] {
            assert_eq!(lines.next().await.as_deref().map(Vec::as_slice), expected.map(str::as_bytes));
        }
    }
}
