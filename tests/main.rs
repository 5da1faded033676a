//! The one integration binary: a module a behaviour, named here and nowhere else.
//!
//! One binary links once. [`no_file_is_forgotten`] fails if a file lies in this folder and is not named below.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stderr,
    reason = "a test fails by panicking, and says why"
)]

mod addresses;
mod bad_input;
mod bundles;
mod consult;
mod crash;
mod demo;
mod drafts;
mod environment;
mod forks;
mod gate;
mod golden;
mod left_out;
mod live;
mod masks;
mod on_screen;
mod pacs;
mod reader;
mod recall;
mod running;
mod sample_cards;
mod samples;
mod secrets;
mod series;
mod support;
mod tampering;
mod terminal;
mod transfers;
mod vectors;
mod volumes;

#[test]
fn no_file_is_forgotten() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests");
    let named: Vec<&str> =
        include_str!("main.rs").lines().filter_map(|line| line.strip_prefix("mod ")?.strip_suffix(';')).collect();
    for item in std::fs::read_dir(folder).unwrap() {
        let path = item.unwrap().path();
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        let is_module = path.join("mod.rs").exists() || path.extension().is_some_and(|extension| extension == "rs");
        assert!(!is_module || name == "main" || named.contains(&name.as_str()), "tests/main.rs does not name {name}");
    }
}
