//! The independent reader: `overread_reader.py` knows `keys/format.md` and `keys/bundles.md` and nothing of this
//! program.
//!
//! It checks every vector by itself. A disagreement means that the specification, the program or the reader is
//! wrong; all three must be made to agree.

use std::process::Command;

#[test]
fn the_independent_reader_agrees_on_every_vector() {
    let folder = env!("CARGO_MANIFEST_DIR");
    let required = std::env::var_os("CI").is_some();
    let needs = "import blake3, zstandard, cryptography";
    let ready = Command::new("python3").args(["-c", needs]).output().is_ok_and(|output| output.status.success());
    if !ready {
        assert!(!required, "python3 with the packages blake3, zstandard and cryptography is required in CI");
        eprintln!("SKIPPED: the independent reader needs python3 with the packages blake3, zstandard, cryptography");
        return;
    }
    let output = Command::new("python3")
        .arg(format!("{folder}/tests/reader/overread_reader.py"))
        .arg(format!("{folder}/keys/vectors"))
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{text}\n{}", String::from_utf8_lossy(&output.stderr));
    // A reader that checks nothing also succeeds.
    let checked: u32 = text.lines().last().and_then(|line| line.split(' ').next()?.parse().ok()).unwrap_or(0);
    assert!(checked >= 900, "only {checked} checks were made:\n{text}");
    eprintln!("{text}");
}
