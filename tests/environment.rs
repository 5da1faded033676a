//! A running program has neither the passphrase nor a file for TLS secrets in its environment.

use std::io::Write;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// How long the program may take to execute itself anew.
const PATIENCE: Duration = Duration::from_secs(20);

fn overread(home: &std::path::Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_overread"));
    command.args(["--json", "--home"]).arg(home).env_clear();
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// The names that stand in the environment of a process, without the passphrase that a failed test would print.
fn names(child: &Child) -> Vec<String> {
    let environment = std::fs::read(format!("/proc/{}/environ", child.id())).unwrap_or_default();
    let name = |pair: &[u8]| String::from_utf8_lossy(pair).split('=').next().unwrap_or_default().to_owned();
    environment.split(|byte| *byte == 0).map(name).filter(|name| !name.is_empty()).collect()
}

#[test]
#[cfg(target_os = "linux")]
fn a_running_program_has_no_secret_in_its_environment() {
    let home = tempfile::tempdir().unwrap();
    let mut command = overread(home.path());
    // Waits for its text on standard input.
    command.args(["say", "c-abcd", "-"]);
    command.envs([("OVERREAD_PASSPHRASE", "correct horse"), ("SSLKEYLOGFILE", "/nowhere/keys"), ("KEPT", "1")]);
    let mut child = command.spawn().unwrap();
    let started = Instant::now();
    // The variables are there until the program executes itself anew, in the same process.
    while names(&child) != ["KEPT", "OVERREAD_PASSPHRASE_FD"] {
        assert!(started.elapsed() < PATIENCE, "in the environment: {:?}", names(&child));
        assert!(child.try_wait().unwrap().is_none(), "the program ended");
        std::thread::sleep(Duration::from_millis(5));
    }
    child.stdin.take().unwrap().write_all(b"hello").unwrap();
    let output = child.wait_with_output().unwrap();
    // There is no identity in this home; what matters is that the arguments arrived and the program ended by itself.
    let document: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert!(document["error"]["code"].is_string(), "{document}");
}

#[test]
fn a_passphrase_that_is_too_long_is_refused_before_anything_starts() {
    let home = tempfile::tempdir().unwrap();
    let mut command = overread(&home.path().join("new"));
    command.args(["case", "list"]).env("OVERREAD_PASSPHRASE", "x".repeat(1025));
    let output = command.spawn().unwrap().wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(!home.path().join("new").exists());
}

#[test]
fn wrong_use_is_a_document_for_a_script_and_exit_code_2() {
    let home = tempfile::tempdir().unwrap();
    let output = overread(home.path()).args(["fetch"]).spawn().unwrap().wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    let document: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(document["error"]["code"], "wrong_use");
    assert!(!output.stderr.is_empty());
}
