//! The control socket: programs of the same user on this machine ask the running node.
//!
//! Made under umask 077, checks the peer's uid, is replaced when stale; for a path over 90 bytes it lies in the
//! user's runtime directory under a hash of the home, since a socket's path has some 108 bytes (design 5). An
//! unlocked node obeys any program of the same user.

use std::io;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
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
    let mut reader = BufReader::new(reader);
    loop {
        let Some(line) = read_line(&mut reader).await else { return };
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
                line = read_line(&mut reader) => {
                    let Some(line) = line else { return };
                    if let Ok(reply) = serde_json::from_slice::<Envelope>(&line) {
                        let _ = replies.try_send(reply.request);
                    }
                }
            }
        }
    }
}

async fn read_line(reader: &mut (impl AsyncBufReadExt + Unpin)) -> Option<zeroize::Zeroizing<Vec<u8>>> {
    let mut line = zeroize::Zeroizing::new(Vec::new());
    let read = reader.take(REQUEST_BYTES_MAX).read_until(b'\n', &mut line).await.ok()?;
    (read > 0 && line.ends_with(b"\n")).then_some(line)
}

async fn write_line(writer: &mut (impl AsyncWriteExt + Unpin), answer: &Answer) -> io::Result<()> {
    let mut line = serde_json::to_vec(answer).map_err(io::Error::other)?;
    line.push(b'\n');
    writer.write_all(&line).await
}
