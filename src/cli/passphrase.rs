//! Where passphrases come from: a file, the environment (through a pipe, see [`super::environment`]), or the
//! person at the terminal. Never the command line, which every user of the machine can read.

use std::fs::File;
use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use crate::node::api::{Failure, FailureCode, Passphrase};

use super::environment::PASSPHRASE_BYTES_MAX;
use super::output::Output;
use super::person::Person;

/// Longest passphrase file, in bytes; only its first line is used.
const FILE_BYTES_MAX: u64 = 64 * 1024;

/// What was given with the command.
#[derive(Default)]
pub(super) struct Passphrases {
    pub(super) file: Option<PathBuf>,
    pub(super) handed: Option<Passphrase>,
}

impl Passphrases {
    /// Whether one was given, so that nobody need be asked and asking again would change nothing.
    pub(super) fn is_given(&self) -> bool {
        self.file.is_some() || self.handed.is_some()
    }

    /// The passphrase of the vault as it is.
    pub(super) fn current(&self, output: &mut Output, person: &mut dyn Person) -> Result<Passphrase, Failure> {
        match self.given(output)? {
            Some(passphrase) => Ok(passphrase),
            None if person.is_here() => person.secret("Passphrase of the vault: "),
            None => {
                Err(Failure::new(FailureCode::Locked, "The vault is locked, and no passphrase was given to open it.")
                    .hint("Run this at a terminal, or give --passphrase-file F or OVERREAD_PASSPHRASE."))
            }
        }
    }

    /// A passphrase for a vault that is made now.
    pub(super) fn new_one(&self, output: &mut Output, person: &mut dyn Person) -> Result<Passphrase, Failure> {
        match self.given(output)? {
            Some(passphrase) => Ok(passphrase),
            None => typed_twice(person, "New passphrase for the vault on this machine: "),
        }
    }

    /// The one that was given, if any.
    pub(super) fn given(&self, output: &mut Output) -> Result<Option<Passphrase>, Failure> {
        match &self.file {
            Some(path) => from_file(path, output).map(Some),
            None => Ok(self.handed.clone()),
        }
    }
}

/// Asks for a new passphrase until it was typed twice alike.
pub(super) fn typed_twice(person: &mut dyn Person, question: &str) -> Result<Passphrase, Failure> {
    if !person.is_here() {
        return Err(Failure::new(FailureCode::WrongUse, "A new passphrase is needed, and none was given.")
            .hint("Run this at a terminal, or give --passphrase-file F or OVERREAD_PASSPHRASE."));
    }
    let mut question = question.to_owned();
    loop {
        let first = person.secret(&question)?;
        let again = person.secret("The same once more: ")?;
        if first.0 == again.0 && !first.0.is_empty() {
            return Ok(first);
        }
        "The two were not alike, or empty. New passphrase: ".clone_into(&mut question);
    }
}

/// The first line of a file. Says so if others can read the file.
pub(super) fn from_file(path: &Path, output: &mut Output) -> Result<Passphrase, Failure> {
    let unreadable = |why: &str| {
        Failure::new(FailureCode::WrongUse, format!("The passphrase file {} {why}.", path.display()))
            .hint("It must hold the passphrase as its first line.")
    };
    let file = File::open(path).map_err(|error| unreadable(&format!("cannot be read: {error}")))?;
    if file.metadata().is_ok_and(|metadata| metadata.is_file() && metadata.mode() & 0o077 != 0) {
        output.warn(&format!("Others on this machine can read {}: chmod 600 closes it to them.", path.display()));
    }
    let mut bytes = Zeroizing::new(Vec::with_capacity(PASSPHRASE_BYTES_MAX));
    file.take(FILE_BYTES_MAX)
        .read_to_end(&mut bytes)
        .map_err(|error| unreadable(&format!("cannot be read: {error}")))?;
    let line = bytes.split(|byte| *byte == b'\n').next().unwrap_or_default();
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    match std::str::from_utf8(line) {
        Ok("") => Err(unreadable("begins with an empty line")),
        Ok(_) if line.len() > PASSPHRASE_BYTES_MAX => Err(unreadable(&format!(
            "has a first line of {} bytes, where at most {PASSPHRASE_BYTES_MAX} are used",
            line.len()
        ))),
        Ok(text) => Ok(Passphrase(text.to_owned())),
        Err(_) => Err(unreadable("is not UTF-8 text")),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;
    use crate::cli::output::tests::Captured;
    use crate::cli::person::script::Script;

    fn file(bytes: &[u8], mode: u32) -> tempfile::NamedTempFile {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), bytes).unwrap();
        std::fs::set_permissions(file.path(), std::fs::Permissions::from_mode(mode)).unwrap();
        file
    }

    #[test]
    fn the_first_line_is_the_passphrase() {
        for bytes in [&b"correct horse"[..], b"correct horse\n", b"correct horse\r\nsecond\n"] {
            let (mut output, captured) = Captured::text();
            let file = file(bytes, 0o600);
            assert_eq!(from_file(file.path(), &mut output).unwrap().0, "correct horse");
            assert_eq!(captured.err(), "");
        }
    }

    #[test]
    fn a_file_others_can_read_is_used_with_a_warning() {
        let (mut output, captured) = Captured::text();
        let file = file(b"correct horse\n", 0o644);
        assert!(from_file(file.path(), &mut output).is_ok());
        assert!(captured.err().contains("Others on this machine can read"), "{}", captured.err());
    }

    #[test]
    fn a_file_without_a_passphrase_is_refused() {
        for bytes in [&b""[..], b"\nsecond\n", b"\xff\xfe\n", &[b'a'; PASSPHRASE_BYTES_MAX + 1]] {
            let (mut output, _) = Captured::text();
            let failure = from_file(file(bytes, 0o600).path(), &mut output).unwrap_err();
            assert_eq!(failure.code, FailureCode::WrongUse);
            assert!(!failure.what.contains("second"), "{}", failure.what);
        }
        let (mut output, _) = Captured::text();
        assert!(from_file(Path::new("/nowhere/at all"), &mut output).is_err());
    }

    #[test]
    fn a_new_passphrase_must_be_typed_twice_alike() {
        let mut person = Script::answering(&["one", "two", "", "", "three", "three"]);
        assert_eq!(typed_twice(&mut person, "New: ").unwrap().0, "three");
        assert_eq!(person.asked().len(), 6);
        assert_eq!(typed_twice(&mut Script::nobody(), "New: ").unwrap_err().code, FailureCode::WrongUse);
    }

    #[test]
    fn a_script_without_a_passphrase_is_told_how_to_give_one() {
        let (mut output, _) = Captured::text();
        let failure = Passphrases::default().current(&mut output, &mut Script::nobody()).unwrap_err();
        assert_eq!(failure.code.exit_code(), 3);
        assert_eq!(failure.what, "The vault is locked, and no passphrase was given to open it.");
    }

    #[test]
    fn the_file_goes_before_the_environment() {
        let (mut output, _) = Captured::text();
        let file = file(b"from the file\n", 0o600);
        let given = Passphrases { file: Some(file.path().into()), handed: Some(Passphrase("from outside".into())) };
        assert_eq!(given.current(&mut output, &mut Script::nobody()).unwrap().0, "from the file");
    }
}
