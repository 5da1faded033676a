//! `node`: the node that runs until it is told to stop.

use std::path::Path;
use std::time::Duration;

use clap::Args;
use serde_json::json;

use crate::encoding::time::parse_duration_ms;
use crate::node::NodeOptions;
use crate::node::api::{Event, Failure};

use super::interrupt::Interruption;
use super::output::Output;
use super::passphrase::Passphrases;
use super::person::{Person, Terminal};
use super::render;

/// Run the node: takes and makes deliveries until it is stopped
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  overread node
  overread node --listen /ip4/0.0.0.0/udp/4001/quic-v1 --lock-after 15m
  overread node --json --passphrase-file pass.txt

While it runs, every other command on this machine is carried out by it, and any program of the same user can use it
while it is unlocked. It needs the passphrase to start; locked again (--lock-after, `overread vault lock`) it still takes
and makes deliveries, and opens nothing. Ctrl-C ends it in order.")]
pub(super) struct Node {
    /// Where to listen, as a multiaddress; may be repeated
    #[arg(long, value_name = "ADDR")]
    listen: Vec<String>,
    /// Lock after so long without a command: 90s, 15m, 4h
    #[arg(long, value_name = "T", value_parser = duration)]
    lock_after: Option<Duration>,
    /// Do not look for colleagues on the local network
    #[arg(long)]
    no_beacon: bool,
}

impl Node {
    /// Ends with the node, which listens for the signals itself.
    pub(super) async fn run(self, home: &Path, passphrases: &Passphrases, mut output: Output) -> Result<u8, Failure> {
        let interruption = Interruption::default();
        interruption.listen()?;
        let mut person = Terminal::new(interruption);
        // A script that gives none hears from the node what is wrong: no identity yet, or locked.
        let passphrase = if passphrases.is_given() || person.is_here() {
            Some(passphrases.current(&mut output, &mut person)?)
        } else {
            None
        };
        output.begin_stream();
        let options = NodeOptions {
            listen: self.listen,
            lock_after: self.lock_after,
            beacon: !self.no_beacon,
            test_cards: false,
        };
        let ended = crate::node::run(home, options, passphrase, &mut |event| show(&event, &mut output)).await;
        match ended {
            Ok(()) => output.result(json!({ "format": 1 }), "Stopped in order.\n"),
            Err(failure) => {
                output.failure(&failure);
                return Ok(failure.code.exit_code());
            }
        }
        Ok(0)
    }
}

/// In JSON each event is a line and needs no second one for people; as text progress would only scroll by.
fn show(event: &Event, output: &mut Output) {
    let text = if output.is_json() { None } else { render::event(event) };
    let object = serde_json::to_value(event).unwrap_or_default();
    output.event(&object, text.as_deref());
}

fn duration(text: &str) -> Result<Duration, String> {
    parse_duration_ms(text)
        .and_then(|ms| u64::try_from(ms).ok())
        .map(Duration::from_millis)
        .ok_or_else(|| "write 90s, 15m or 4h".to_owned())
}
