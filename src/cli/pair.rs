//! `pair`: two people who speak on the phone become verified colleagues through a spoken code.

use clap::{Args, Subcommand};

use crate::node::api::{Failure, Request};

use super::session::Session;

/// Become colleagues with somebody you are speaking with
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  overread pair open                       prints the line to read aloud
  overread pair join 7-amber-falcon        what the other one types

The code works once, for two minutes; a wrong guess uses it up.")]
pub(super) struct Pair {
    #[command(subcommand)]
    command: PairCommand,
}

#[derive(Debug, Subcommand)]
enum PairCommand {
    /// Open the door and print the line to read aloud
    #[command(after_help = "\
Examples:
  overread pair open
  overread pair open --yes --json          for scripts: confirms whoever has the code")]
    Open {
        /// Confirm whoever used the code, without asking
        #[arg(long)]
        yes: bool,
    },
    /// Use the code that was read to you
    #[command(after_help = "\
Examples:
  overread pair join 7-amber-falcon
  overread pair join 7-amber-falcon --at /ip4/10.0.3.7/tcp/4010")]
    Join {
        /// The code, with @ADDR if an address was read to you
        #[arg(value_name = "CODE[@ADDR]")]
        code: String,
        /// Where the other machine listens, if it is not found by itself
        #[arg(long, value_name = "ADDR")]
        at: Vec<String>,
        /// Confirm the other person without asking
        #[arg(long)]
        yes: bool,
    },
}

impl Pair {
    pub(super) async fn run(self, session: &mut Session) -> Result<u8, Failure> {
        match self.command {
            PairCommand::Open { yes } => {
                session.manner.yes = yes;
                session.output.begin_stream();
                session.carry_out(Request::PairOpen).await
            }
            PairCommand::Join { code, at, yes } => {
                session.manner.yes = yes;
                session.carry_out(join_request(&code, at)).await
            }
        }
    }
}

/// The request for `CODE[@ADDR]` and what `--at` adds.
pub(super) fn join_request(spoken: &str, mut at: Vec<String>) -> Request {
    let (code, address) = match spoken.split_once('@') {
        Some((code, address)) => (code, Some(address)),
        None => (spoken, None),
    };
    at.extend(address.filter(|address| !address.is_empty()).map(str::to_owned));
    Request::PairJoin { code: code.trim().to_owned(), at }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_behind_the_code_joins_the_given_ones() {
        for (spoken, at, expected) in [
            ("7-amber", vec![], vec![]),
            ("7-amber@", vec![], vec![]),
            ("7-amber@/ip4/10.0.0.1/tcp/4", vec!["/dns/x".to_owned()], vec!["/dns/x", "/ip4/10.0.0.1/tcp/4"]),
        ] {
            let Request::PairJoin { code, at } = join_request(spoken, at) else { panic!("another request") };
            assert_eq!((code.as_str(), at), ("7-amber", expected.into_iter().map(str::to_owned).collect::<Vec<_>>()));
        }
    }
}
