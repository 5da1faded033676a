//! What must not stand in the environment of a running node.
//!
//! libp2p's TLS and QUIC obey `SSLKEYLOGFILE` (the key log is hard-wired in libp2p-tls since 0.6.3): whoever can
//! set this variable gets every traffic key in a file. The end-to-end sealing does not depend on TLS, but who
//! talks to whom does. A variable cannot be taken out of a running process safely once threads exist, so `main`
//! asks [`forbidden_variables`] first of all and executes itself again without them.

use std::ffi::OsString;

/// Variables that [`forbidden_variables`] looks for: TLS key dumps, and the passphrase (read once, then handed
/// over through a pipe).
pub const FORBIDDEN: [&str; 2] = ["SSLKEYLOGFILE", "OVERREAD_PASSPHRASE"];

/// The forbidden variables that stand in this process's environment, even if empty.
pub fn forbidden_variables() -> Vec<&'static str> {
    forbidden_among(std::env::vars_os().map(|(name, _)| name))
}

/// Whether libp2p's TLS would write its keys to a file.
pub fn tls_keys_are_logged() -> bool {
    forbidden_variables().contains(&"SSLKEYLOGFILE")
}

fn forbidden_among(names: impl Iterator<Item = OsString>) -> Vec<&'static str> {
    let mut found = Vec::new();
    for name in names {
        for forbidden in FORBIDDEN {
            // Windows does not tell upper from lower case in these names.
            if name.to_str().is_some_and(|name| name.eq_ignore_ascii_case(forbidden)) && !found.contains(&forbidden) {
                found.push(forbidden);
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    #[test]
    fn the_key_log_variable_is_noticed_in_any_case_and_other_names_are_not() {
        let names = ["PATH", "sslkeylogfile", "SSLKEYLOGFILE2", "OVERREAD_HOME"];
        assert_eq!(forbidden_among(names.into_iter().map(OsString::from)), ["SSLKEYLOGFILE"]);
        assert_eq!(forbidden_among(["PATH"].into_iter().map(OsString::from)), Vec::<&str>::new());
    }

    /// Says whether this test process runs under a key log; the parent below starts it both ways.
    #[test]
    fn a_process_started_with_the_key_log_variable_says_so() {
        const CHILD: &str = "OVERREAD_TEST_KEY_LOG_CHILD";
        if let Ok(expected) = std::env::var(CHILD) {
            assert_eq!(tls_keys_are_logged(), expected == "yes");
            return;
        }
        for (expected, set) in [("yes", true), ("no", false)] {
            let mut child = Command::new(std::env::current_exe().unwrap());
            child.args(["--exact", "net::environment::tests::a_process_started_with_the_key_log_variable_says_so"]);
            child.env_remove("SSLKEYLOGFILE").env(CHILD, expected);
            if set {
                child.env("SSLKEYLOGFILE", "");
            }
            let output = child.output().unwrap();
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
            assert!(String::from_utf8_lossy(&output.stdout).contains("1 passed"));
        }
    }
}
