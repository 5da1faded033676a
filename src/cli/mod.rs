//! The command line: arguments in, requests to the node, answers as text or JSON, an exit code.
//!
//! It knows the node's client and nothing below it: no key, file of a home or socket is touched here. One file a
//! subcommand holds its arguments, its help and its `run`; most only turn arguments into one request
//! ([`session::Session::carry_out`]). `ask` and `join` are conversations of several. What is written passes
//! [`output`], what a person is asked passes [`person`], and answers become text in [`render`].
//!
//! The table of design section 8 is a promise to scripts: names, fields and exit codes are only ever added.
//! Its rows that come with later issues are not here yet.

mod app;
mod ask;
mod bundle;
mod card;
mod case;
mod completions;
mod demo;
mod doctor;
pub mod environment;
mod exit;
mod fetch;
mod import;
mod init;
mod interrupt;
mod join;
mod mark;
mod node;
mod opinion;
mod output;
mod pacs;
mod pair;
mod passphrase;
mod person;
mod picture;
mod progress;
mod read;
mod recovery;
mod render;
mod say;
mod session;
mod settings;
mod study;
mod sync;
mod vault;
mod verify;

use std::ffi::OsString;
use std::io::IsTerminal;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{ArgAction, Args, CommandFactory, Parser, Subcommand};

use crate::encoding::time::parse_duration_ms;
use crate::node::NodeOptions;
use crate::node::api::{Failure, FailureCode, Passphrase};
use crate::node::client::Client;

use interrupt::Interruption;
use output::Output;
use passphrase::Passphrases;
use person::Terminal;
use session::{Manner, Session};

/// Heading of the flags that every command takes.
const EVERYWHERE: &str = "With every command";

const EXAMPLES: &str = "\
The two commands most people need:
  overread ask ./CT --to new \"Is the lesion in segment 7 new?\"
      takes the study in, removes the patient's identity, and prints a line to read to your colleague
  overread join CODE
      what the colleague types: pairs the two of you and opens the question

Then, as the colleague:
  overread case list
  overread fetch CASE
  overread opinion sign CASE --impression \"Old, unchanged since 2024\" --agree

Exit codes: 0 done, 1 failed, 2 wrong use, 3 wrong passphrase or locked, 4 not found,
5 refused by trust, role or safety, 6 partly done, 7 not reached in time (safe to repeat),
130 interrupted.

For consultation, never for primary diagnosis.";

/// Second opinions between radiologists, peer to peer, from the terminal.
#[derive(Debug, Parser)]
#[command(name = "overread", version, after_help = EXAMPLES, disable_help_subcommand = true)]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    global: Global,
}

#[derive(Debug, Args)]
struct Global {
    /// The folder of this installation: vault, studies and cases
    #[arg(long, global = true, value_name = "DIR", env = "OVERREAD_HOME", help_heading = EVERYWHERE)]
    home: Option<PathBuf>,
    /// Write JSON on standard output: one document, or one object a line for a stream
    #[arg(long, global = true, help_heading = EVERYWHERE)]
    json: bool,
    /// Take the vault's passphrase from the first line of this file (or from OVERREAD_PASSPHRASE)
    #[arg(long, global = true, value_name = "FILE", help_heading = EVERYWHERE)]
    passphrase_file: Option<PathBuf>,
    /// Say more on the way; twice: what a developer wants to know
    #[arg(short, long, global = true, action = ArgAction::Count, help_heading = EVERYWHERE)]
    verbose: u8,
    /// Say nothing on the way
    #[arg(short, long, global = true, conflicts_with = "verbose", help_heading = EVERYWHERE)]
    quiet: bool,
    /// A name for this request: repeated with the same name it changes nothing twice
    #[arg(long, global = true, value_name = "ID", help_heading = EVERYWHERE)]
    request_id: Option<String>,
    /// How long to try to reach colleagues, in seconds or as 30s, 5m, 1h [default: 10]
    #[arg(long, global = true, value_name = "S", value_parser = seconds, help_heading = EVERYWHERE)]
    wait: Option<u64>,
    /// Save only; whoever is reached later gets it then
    #[arg(long, global = true, conflicts_with = "wait", help_heading = EVERYWHERE)]
    no_wait: bool,
}

#[derive(Debug, Subcommand)]
enum Command {
    Ask(ask::Ask),
    Join(join::Join),
    Init(init::Init),
    Vault(vault::Vault),
    Card(card::Card),
    Pair(pair::Pair),
    Import(import::Import),
    Study(study::Study),
    Case(case::Case),
    Mark(mark::Mark),
    Opinion(opinion::Opinion),
    Say(say::Say),
    Node(node::Node),
    Sync(sync::Sync),
    Fetch(fetch::Fetch),
    Bundle(bundle::Bundle),
    Pacs(pacs::Pacs),
    Verify(verify::Verify),
    Doctor(doctor::Doctor),
    Settings(settings::Settings),
    Demo(demo::Demo),
    Completions(completions::Completions),
}

/// Runs one command line; `handed` is the passphrase that stood in the environment ([`environment::clean`]).
pub fn run(arguments: Vec<OsString>, handed: Option<Passphrase>) -> ExitCode {
    let wants_json = arguments.iter().any(|argument| argument == "--json");
    let cli = match Cli::try_parse_from(arguments) {
        Ok(cli) => cli,
        Err(error) => return ExitCode::from(misused(&error, wants_json)),
    };
    let Global { json, quiet, verbose, .. } = cli.global;
    let shows_app = !json
        && match &cli.command {
            None => app::can_show(),
            Some(Command::Demo(demo)) => demo.shows_app(),
            Some(_) => false,
        };
    if !shows_app || !std::io::stderr().is_terminal() {
        start_log(verbose);
    }
    let mut output = Output::standard(json, quiet, verbose > 0);
    if cli.command.is_none() && !shows_app {
        output.result(serde_json::json!({ "format": 1 }), &greeting(cli.global.home));
        return ExitCode::SUCCESS;
    }
    match runtime().and_then(|runtime| runtime.block_on(carry_out(cli.command, cli.global, handed, output))) {
        Ok(code) => ExitCode::from(code),
        Err(failure) => fail_in(&failure, &mut Output::standard(json, quiet, false)),
    }
}

/// Says why the program cannot even start.
pub fn fail(failure: &Failure) -> ExitCode {
    fail_in(failure, &mut Output::standard(std::env::args_os().any(|argument| argument == "--json"), false, false))
}

fn fail_in(failure: &Failure, output: &mut Output) -> ExitCode {
    output.failure(failure);
    ExitCode::from(failure.code.exit_code())
}

async fn carry_out(
    command: Option<Command>,
    global: Global,
    handed: Option<Passphrase>,
    mut output: Output,
) -> Result<u8, Failure> {
    let passphrases = Passphrases { file: global.passphrase_file, handed };
    let Some(command) = command else {
        return app::run(&home(global.home)?, &passphrases, &mut output).await;
    };
    match command {
        // These two need no node to ask, and a node handles its signals itself.
        Command::Completions(completions) => return Ok(completions.run(&mut output)),
        Command::Node(node) => return node.run(&home(global.home)?, &passphrases, output).await,
        Command::Demo(demo) => return demo.run(&mut output).await,
        _ => {}
    }
    let interruption = Interruption::default();
    interruption.listen()?;
    let manner = Manner {
        request_id: global.request_id,
        wait_seconds: if global.no_wait { Some(0) } else { global.wait },
        yes: false,
    };
    let client = Client::open(&home(global.home)?, NodeOptions::default()).await?;
    let person = Box::new(Terminal::new(interruption.clone()));
    let mut session = Session::new(client, output, person, passphrases, manner);
    let listens = matches!(&command, Command::Pacs(pacs) if pacs.listens());
    let ended = tokio::select! {
        biased;
        () = interruption.happens() => Err(Interruption::failure()),
        ended = with_session(command, &mut session) => ended,
    };
    let ended = match ended {
        Err(_) if listens && interruption.has_happened() => Ok(pacs::stopped(&mut session).await),
        ended => ended,
    };
    let mut output = session.close(interruption.happens()).await;
    Ok(ended.unwrap_or_else(|failure| {
        output.failure(&failure);
        failure.code.exit_code()
    }))
}

async fn with_session(command: Command, session: &mut Session) -> Result<u8, Failure> {
    match command {
        Command::Ask(ask) => ask.run(session).await,
        Command::Join(join) => join.run(session).await,
        Command::Init(init) => init.run(session).await,
        Command::Vault(vault) => vault.run(session).await,
        Command::Card(card) => card.run(session).await,
        Command::Pair(pair) => pair.run(session).await,
        Command::Import(import) => import.run(session).await,
        Command::Study(study) => study.run(session).await,
        Command::Case(case) => case.run(session).await,
        Command::Mark(mark) => mark.run(session).await,
        Command::Opinion(opinion) => opinion.run(session).await,
        Command::Say(say) => say.run(session).await,
        Command::Sync(sync) => sync.run(session).await,
        Command::Fetch(fetch) => fetch.run(session).await,
        Command::Bundle(bundle) => bundle.run(session).await,
        Command::Pacs(pacs) => pacs.run(session).await,
        Command::Verify(verify) => verify.run(session).await,
        Command::Doctor(doctor) => doctor.run(session).await,
        Command::Settings(settings) => settings.run(session).await,
        Command::Node(_) | Command::Demo(_) | Command::Completions(_) => Err(session::unexpected()),
    }
}

fn runtime() -> Result<tokio::runtime::Runtime, Failure> {
    tokio::runtime::Builder::new_multi_thread().enable_all().build().map_err(|error| {
        Failure::new(FailureCode::Failed, format!("The system gives no threads to work with: {error}."))
    })
}

/// Help and version are what was asked for; the rest is wrong use, and a script gets its document.
fn misused(error: &clap::Error, json: bool) -> u8 {
    // If not even that can be written, the exit code still says it.
    let _ = error.print();
    if error.use_stderr() && json {
        let failure = Failure::new(FailureCode::WrongUse, misuse(error)).hint("See --help.");
        Output::standard(true, false, false).failure(&failure);
    }
    u8::try_from(error.exit_code()).unwrap_or(FailureCode::WrongUse.exit_code())
}

/// What is wrong with a command line, in one line: usage and tips stand behind the first empty one.
fn misuse(error: &clap::Error) -> String {
    let text = error.to_string();
    let words: Vec<&str> = text.lines().map(str::trim).take_while(|line| !line.is_empty()).collect();
    words.join(" ").trim_start_matches("error: ").to_owned()
}

fn home(given: Option<PathBuf>) -> Result<PathBuf, Failure> {
    let home = given.filter(|home| !home.as_os_str().is_empty()).or_else(|| {
        directories::ProjectDirs::from("", "", "overread").map(|directories| directories.data_dir().to_owned())
    });
    match home {
        Some(home) => read::absolute(&home),
        None => Err(Failure::new(FailureCode::WrongUse, "The system does not say where your data belongs.")
            .hint("Give --home DIR or OVERREAD_HOME.")),
    }
}

/// Without a command: the short help, and the step that helps next.
fn greeting(given: Option<PathBuf>) -> String {
    let next = if home(given).is_ok_and(|home| home.exists()) {
        "Next: `overread case list` shows what waits for you."
    } else {
        "Next: `overread ask PATH --to new \"QUESTION\"`, or `overread join CODE` if a colleague read you a code.\n\
         `overread demo` shows a whole consultation on this machine."
    };
    format!("{}\n{next}\n", Cli::command().render_help())
}

fn start_log(verbose: u8) {
    let level = match verbose {
        0 => return,
        1 => "overread=info",
        _ => "overread=debug",
    };
    let log = tracing_subscriber::fmt().with_writer(std::io::stderr).with_ansi(false).with_env_filter(level);
    // A second log can only be a second call in one process, in tests.
    let _ = log.try_init();
}

/// Reads `--wait`: seconds, or a number with s, m, h, d.
fn seconds(text: &str) -> Result<u64, String> {
    let milliseconds = parse_duration_ms(text).or_else(|| parse_duration_ms(&format!("{text}s")));
    milliseconds
        .and_then(|ms| u64::try_from(ms / 1000).ok())
        .ok_or_else(|| "write seconds as a number, or 30s, 5m, 1h".to_owned())
}

#[cfg(test)]
mod tests;
