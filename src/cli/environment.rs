//! What must not stand in the environment of a running program.
//!
//! libp2p's TLS writes its session secrets to the file named by `SSLKEYLOGFILE`, and an environment can be read
//! through `/proc` and by every child, so a passphrase must not stay in it (design 5). A process cannot safely
//! take a variable away from itself once libraries may read it, so the program executes itself again without
//! both, before the first thread starts. The passphrase goes through a pipe that the second execution finds open.
//!
//! The variable that names the pipe also names the process: an execution keeps its process id and a child has
//! another, so a child never mistakes some file of its own for a passphrase. The emptied pipe stays open; closing
//! a file that is known by its number alone would need `unsafe`.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::AsRawFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::FileTypeExt;
use std::os::unix::process::CommandExt;
use std::process::Command;

use zeroize::Zeroizing;

use crate::node::api::{Failure, FailureCode, Passphrase};

/// Longest passphrase, in bytes. A pipe holds more, so that writing it never waits for a reader.
pub(super) const PASSPHRASE_BYTES_MAX: usize = 1024;

const KEY_LOG: &str = "SSLKEYLOGFILE";
const PASSPHRASE: &str = "OVERREAD_PASSPHRASE";
/// `PID:FD`, set by the first execution for the second.
const PASSPHRASE_PIPE: &str = "OVERREAD_PASSPHRASE_FD";

/// Takes both variables out of the environment, executing the program again where they stand in it. Gives the
/// passphrase that stood there. Must be called before any thread starts; does not return where it executes.
///
/// # Errors
/// If the passphrase is too long or no passphrase, or the program cannot be executed again.
pub fn clean() -> Result<Option<Passphrase>, Failure> {
    let passphrase = std::env::var_os(PASSPHRASE);
    if passphrase.is_none() && std::env::var_os(KEY_LOG).is_none() {
        let handed = std::env::var(PASSPHRASE_PIPE).ok();
        return handed.and_then(|place| descriptor(&place, std::process::id())).map_or(Ok(None), receive);
    }
    let bytes = Zeroizing::new(passphrase.map(|text| text.as_bytes().to_vec()).unwrap_or_default());
    if bytes.len() > PASSPHRASE_BYTES_MAX {
        return Err(Failure::new(
            FailureCode::WrongUse,
            format!(
                "The passphrase in {PASSPHRASE} has {} bytes; at most {PASSPHRASE_BYTES_MAX} are used.",
                bytes.len()
            ),
        )
        .hint("Use a shorter one, or --passphrase-file."));
    }
    Err(execute_again(&bytes).unwrap_or_else(|error| failed(&error)))
}

/// The descriptor that was handed to this process, if it was to this one.
fn descriptor(place: &str, process: u32) -> Option<u32> {
    let (pid, fd) = place.split_once(':')?;
    (pid.parse() == Ok(process)).then(|| fd.parse().ok()).flatten()
}

fn receive(fd: u32) -> Result<Option<Passphrase>, Failure> {
    let file = File::open(format!("/dev/fd/{fd}")).map_err(|error| failed(&error))?;
    let is_pipe = file.metadata().map_err(|error| failed(&error))?.file_type().is_fifo();
    if !is_pipe {
        return Ok(None);
    }
    let mut bytes = Zeroizing::new(Vec::with_capacity(PASSPHRASE_BYTES_MAX));
    file.take(PASSPHRASE_BYTES_MAX as u64).read_to_end(&mut bytes).map_err(|error| failed(&error))?;
    match std::str::from_utf8(&bytes) {
        Ok("") => Ok(None),
        Ok(text) => Ok(Some(Passphrase(text.to_owned()))),
        Err(_) => {
            Err(Failure::new(FailureCode::WrongUse, format!("The passphrase in {PASSPHRASE} is not UTF-8 text."))
                .hint("Use --passphrase-file, or a terminal whose text is UTF-8."))
        }
    }
}

/// Executes this program anew; returns only if that fails.
fn execute_again(passphrase: &[u8]) -> io::Result<Failure> {
    let mut arguments = std::env::args_os();
    let mut command = Command::new(std::env::current_exe()?);
    if let Some(name) = arguments.next() {
        command.arg0(name);
    }
    command.args(arguments).env_remove(KEY_LOG).env_remove(PASSPHRASE).env_remove(PASSPHRASE_PIPE);
    let (reader, mut writer) = io::pipe()?;
    if !passphrase.is_empty() {
        writer.write_all(passphrase)?;
        // The writing end closes by itself at the execution; the reading end must stay open.
        rustix::io::fcntl_setfd(&reader, rustix::io::FdFlags::empty())?;
        command.env(PASSPHRASE_PIPE, format!("{}:{}", std::process::id(), reader.as_raw_fd()));
    }
    Err(command.exec())
}

fn failed(error: &io::Error) -> Failure {
    Failure::new(
        FailureCode::Failed,
        format!("Overread could not start itself without {KEY_LOG} and {PASSPHRASE} in its environment: {error}."),
    )
    .hint("Take both out of the environment and use --passphrase-file.")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pipe_handed_to_another_process_is_not_taken() {
        assert_eq!(descriptor("12:3", 12), Some(3));
        for bad in ["12:3", "", ":", "13:", ":3", "13:-1", "13:x", "13"] {
            assert_eq!(descriptor(bad, 13), None, "{bad}");
        }
    }

    #[test]
    fn what_goes_into_the_pipe_comes_out_once() {
        let (reader, mut writer) = io::pipe().unwrap();
        writer.write_all("correct horse, Köln".as_bytes()).unwrap();
        drop(writer);
        let fd = reader.as_raw_fd().unsigned_abs();
        assert_eq!(receive(fd).unwrap().map(|p| p.0.clone()).as_deref(), Some("correct horse, Köln"));
        assert!(receive(fd).unwrap().is_none());
    }

    #[test]
    fn a_file_that_is_no_pipe_is_no_passphrase() {
        let file = tempfile::tempfile().unwrap();
        assert!(receive(file.as_raw_fd().unsigned_abs()).unwrap().is_none());
    }

    #[test]
    fn bytes_that_are_not_text_are_refused_without_showing_them() {
        let (reader, mut writer) = io::pipe().unwrap();
        writer.write_all(&[0x73, 0xff, 0xfe]).unwrap();
        drop(writer);
        let failure = receive(reader.as_raw_fd().unsigned_abs()).unwrap_err();
        assert_eq!(failure.code, FailureCode::WrongUse);
        assert_eq!(failure.what, "The passphrase in OVERREAD_PASSPHRASE is not UTF-8 text.");
    }
}
