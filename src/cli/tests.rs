//! The command line as a whole: its tree, its help, its words.

use clap::{Command as Clap, CommandFactory, Parser};

use super::*;

fn leaves(command: &Clap, path: &str, found: &mut Vec<(String, Clap)>) {
    for sub in command.get_subcommands() {
        let path = format!("{path} {}", sub.get_name());
        found.push((path.clone(), sub.clone()));
        leaves(sub, &path, found);
    }
}

fn every_command() -> Vec<(String, Clap)> {
    let mut found = vec![("overread".to_owned(), Cli::command())];
    leaves(&Cli::command(), "overread", &mut found);
    found
}

fn parse(line: &str) -> Result<Cli, clap::Error> {
    Cli::try_parse_from(split_words(line))
}

/// Words separated by blanks; quotes keep blanks together.
fn split_words(line: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut quoted = false;
    for c in line.chars() {
        match c {
            '"' => {
                quoted = !quoted;
                word.get_or_insert_default();
            }
            ' ' if !quoted => words.extend(word.take()),
            c => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    words
}

#[test]
fn the_tree_of_commands_is_sound() {
    Cli::command().debug_assert();
}

#[test]
fn a_wrong_command_line_is_told_in_one_line_that_names_what_is_missing() {
    let told = |line| misuse(&parse(line).unwrap_err());
    assert_eq!(
        told("overread case new --ask x"),
        "the following required arguments were not provided: --study <ID>... --invite <NAME>..."
    );
    assert_eq!(told("overread sya"), "unrecognized subcommand 'sya'");
}

#[test]
fn every_help_says_what_the_command_does_and_shows_an_example() {
    for (path, command) in every_command() {
        assert!(command.get_about().is_some_and(|about| !about.to_string().is_empty()), "{path}: no about");
        let examples = command.get_after_help().map(ToString::to_string).unwrap_or_default();
        assert!(examples.contains(&path), "{path}: no example");
    }
}

#[test]
fn every_example_in_the_help_is_a_command_that_parses() {
    let mut tried = 0;
    for (path, command) in every_command() {
        let help = command.get_after_help().map(ToString::to_string).unwrap_or_default().replace("\\\n      ", "");
        for example in help.lines().filter_map(|line| line.strip_prefix("  overread ")) {
            // What stands behind a redirection is the shell's; what stands three blanks behind explains.
            let ends = [" | ", " < ", " > ", "   "].iter().filter_map(|end| example.find(end));
            let words = split_words(&format!("overread {}", &example[..ends.min().unwrap_or(example.len())]));
            if let Err(error) = Cli::try_parse_from(&words) {
                panic!("{path}: {words:?}: {error}");
            }
            tried += 1;
        }
    }
    assert!(tried > 60, "only {tried} examples were found");
}

#[test]
fn the_rows_of_the_design_parse() {
    for line in [
        "overread ask ./CT --to new \"What is it?\"",
        "overread ask ./CT ./MR \"What is it?\" --to \"Dr B\" --to \"Dr C\"",
        "overread --home /tmp/a --json --passphrase-file f -v --request-id r --wait 30 init --name N --site S --phone P",
        "overread card verify \"Dr B\" --heard \"a b c d e f\" --no-wait -q",
        "overread import a b --preset basic --same-patient s-abcd --keep-word Leber --keep-word Milz --dry-run",
        "overread study include s-abcd 1.2.3 1.2.4 --burned-in-checked",
        "overread study mask s-abcd --image 1.2.3 1.2.4 --series 3 --rect 0,0,9,9 --rect 5,5,1,1 --burned-in-checked",
        "overread study image s-abcd 1.2.3#4 --values display --window 400/40 -o a.png",
        "overread case new --ask Q --context c.txt --first-report r.txt --study s-1 s-2 --prior s-3 --invite A B --urgency stat --due 4h --to-unverified",
        "overread case study add c-abcd s-abcd --prior",
        "overread case member role c-abcd N observer",
        "overread mark add c-abcd --image 1.2#3 --kind length --points \"-1.5,2 3,4\" --label T",
        "overread opinion sign c-abcd --file o.toml --incomplete-ok",
        "overread opinion sign c-abcd --impression T --disagree",
        "overread node --listen /ip4/127.0.0.1/tcp/0 --listen /ip4/127.0.0.1/udp/0/quic-v1 --lock-after 15m",
        "overread fetch c-abcd --key-images --wait 5m",
        "overread bundle pack --for A --for B --case c-abcd --key-images -o f.bundle",
        "overread completions zsh",
        "overread",
    ] {
        assert!(parse(line).is_ok(), "{line}: {}", parse(line).unwrap_err());
    }
}

#[test]
fn wrong_use_is_refused_with_exit_code_2() {
    for line in [
        "overread frobnicate",
        "overread ask ./CT \"no recipient\"",
        "overread study mask s-abcd --image 1.2.3 --rect 0,0,9,9",
        "overread study mask s-abcd --image 1.2.3 --burned-in-checked",
        "overread study mask s-abcd --rect 0,0,9,9 --burned-in-checked",
        "overread study mask s-abcd --image 1.2.3 --rect 0,0,0,9 --burned-in-checked",
        "overread study mask s-abcd --image 1.2.3 --rect 0,0,-1,9 --burned-in-checked",
        "overread say c-abcd",
        "overread say c-abcd hello --wait soon",
        "overread say c-abcd hello --wait 3 --no-wait",
        "overread -q -v case list",
        "overread study include s-abcd 1.2.3",
        "overread study image s-abcd 1.2.3#0 -o a.npy",
        "overread mark add c-abcd --image 1.2 --kind length --points 1;2",
        "overread opinion sign c-abcd --impression T",
        "overread opinion sign c-abcd --impression T --agree --disagree",
        "overread opinion sign c-abcd --file f --impression T --agree",
        "overread opinion sign c-abcd --impression T --agree --confidence 101",
        "overread opinion sign c-abcd --impression T --agree --called X",
        "overread case new --ask Q --study s-1 --invite A --urgency soon",
        "overread fetch c-abcd --series 1.2 --key-images",
        "overread node --lock-after later",
        "overread init --name N",
        "overread init --name N --site S --passphrase secret",
    ] {
        let error = parse(line).map(|_| ()).unwrap_err();
        assert_eq!(error.exit_code(), 2, "{line}");
    }
}

#[test]
fn a_passphrase_is_never_an_argument() {
    for (path, command) in every_command() {
        for argument in command.get_arguments() {
            let name = argument.get_id().as_str();
            assert!(!name.contains("passphrase") || name.ends_with("_file"), "{path} --{name}");
        }
    }
}

#[test]
fn help_and_version_are_no_errors() {
    for line in ["overread --help", "overread opinion sign --help", "overread --version"] {
        assert_eq!(parse(line).map(|_| ()).unwrap_err().exit_code(), 0, "{line}");
    }
}

#[test]
fn the_wait_is_seconds_or_a_duration() {
    assert_eq!([seconds("0"), seconds("10"), seconds("5m"), seconds("1h")], [Ok(0), Ok(10), Ok(300), Ok(3600)]);
    for bad in ["", "-1", "1.5", "soon", "99999999999"] {
        assert!(seconds(bad).is_err(), "{bad}");
    }
}

#[test]
fn without_a_command_the_next_step_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let first = greeting(Some(folder.path().join("new")));
    assert!(first.contains("Usage: overread"), "{first}");
    assert!(first.contains("Next: `overread ask PATH --to new \"QUESTION\"`"), "{first}");
    let later = greeting(Some(folder.path().into()));
    assert!(later.ends_with("Next: `overread case list` shows what waits for you.\n"), "{later}");
}
