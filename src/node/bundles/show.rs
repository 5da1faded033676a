//! Looking at a bundle without taking anything in, and checking it whole.

use std::convert::Infallible;
use std::path::PathBuf;

use super::{Origin, SenderStanding, called, open_failure, open_file, problem_words};
use crate::courier::{BundleError, Sender, Tally, inspect, open};
use crate::encoding::text::shown;
use crate::identity::keys::SealingSecret;
use crate::node::api::{BundleView, Failure, Reply};
use crate::node::core::{Node, Step, Task};
use crate::node::library::Meter;

/// What reading a bundle through told.
struct Seen {
    bytes: u64,
    /// `None`: it is sealed for others.
    read: Option<(Option<Sender>, Tally)>,
}

impl Node {
    pub fn bundle_show(&mut self, path: PathBuf, task: Task) -> Result<Step, Failure> {
        self.look_through(path, task, |node, seen| {
            let Some((sender, tally)) = seen.read else {
                return Reply::Bundle(BundleView { bytes: seen.bytes, ..BundleView::default() });
            };
            let packed = sender.as_ref().map(|sender| sender.packed.to_string());
            let origin = sender.map(|sender| node.origin(&sender));
            Reply::Bundle(BundleView {
                bytes: seen.bytes,
                for_me: true,
                standing: origin.as_ref().map(|origin| origin.standing.word().into()),
                from: origin.map(from_words),
                packed,
                cases: tally.cases.iter().map(|count| called(&count.case)).collect(),
                entries: tally.cases.iter().map(|count| count.entries).sum(),
                chunks: tally.cases.iter().map(|count| count.chunks).sum(),
                problems: problem_words(&tally.problems, tally.problem_count),
            })
        })
    }

    /// Checks every byte of a bundle: `verify FILE`.
    pub fn bundle_verify(&mut self, path: PathBuf, task: Task) -> Result<Step, Failure> {
        let named = path.clone();
        self.look_through(path, task, move |_, seen| match seen.read {
            Some((_, tally)) => Reply::VerifyReport {
                ok: tally.problem_count == 0 && tally.whole,
                entries: tally.cases.iter().map(|count| count.entries).sum(),
                chunks: tally.cases.iter().map(|count| count.chunks).sum(),
                problems: problem_words(&tally.problems, tally.problem_count),
                state_hash: None,
            },
            None => Reply::VerifyReport {
                ok: false,
                entries: 0,
                chunks: 0,
                problems: vec![format!(
                    "{} is sealed for others: only they can check it",
                    shown(&named.to_string_lossy())
                )],
                state_hash: None,
            },
        })
    }

    fn look_through(
        &mut self,
        path: PathBuf,
        task: Task,
        tell: impl FnOnce(&Node, Seen) -> Reply + Send + 'static,
    ) -> Result<Step, Failure> {
        let keys = self.me()?.vault.keys();
        let (device, sealing) =
            (keys.certificate.device(), SealingSecret::from_seed(keys.device.sealing.seed().duplicate()));
        self.run_beside(task, move |control| {
            let mut file = open_file(&path)?;
            let seen = match open(&file, device, &sealing) {
                Ok(mut bundle) => {
                    let bytes = bundle.outline().bytes;
                    let meter = Meter::new("verify", bytes, control);
                    let mut read_bytes = 0;
                    let read = bundle.read_all(|message| {
                        if let crate::sync::message::Message::Chunk(chunk) = message {
                            read_bytes += chunk.bytes.len() as u64;
                            meter.at(read_bytes);
                        }
                        Ok::<_, Infallible>(())
                    });
                    let Ok(tally) = read;
                    Seen { bytes, read: Some((bundle.sender(), tally)) }
                }
                Err(BundleError::NotForMe) => {
                    let outline = inspect(&mut file).map_err(|error| open_failure(&path, &error))?;
                    Seen { bytes: outline.bytes, read: None }
                }
                Err(error) => return Err(open_failure(&path, &error)),
            };
            Ok(Box::new(move |node: &mut Node| Ok(tell(node, seen))))
        })
    }
}

fn from_words(origin: Origin) -> String {
    let name = origin.name;
    match origin.standing {
        SenderStanding::Colleague => name,
        SenderStanding::FellowMember => format!("{name}, a member of a case you share"),
        SenderStanding::Blocked => format!("{name}, whom you have blocked"),
        SenderStanding::Unknown => format!("{name}, whose card you do not hold"),
    }
}
