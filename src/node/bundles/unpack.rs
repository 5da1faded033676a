//! Unpacking: a bundle's messages go to the node a few at a time, as if they came over a connection.
//!
//! A thread of its own reads, checks and opens the file. It asks the node what to do with each part ([`Unpacking`]) and
//! waits for the answer, so at most one part is under way. Entries of a case go together; chunks are made durable here
//! and reported like chunks from a peer, which opens the manifest pages among them and makes their images wanted.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio::sync::{mpsc, oneshot};

use super::{SenderStanding, called, open_failure, open_file, problem_words};
use crate::case::spoken::spoken_name;
use crate::courier::{Sender, Tally, open};
use crate::encoding::id::{CaseId, ChunkId, StudyId};
use crate::identity::keys::{DeviceKey, SealingSecret};
use crate::node::api::{Failure, FailureCode, Reply};
use crate::node::arrivals::AfterRefusal;
use crate::node::core::{Node, Step, Task};
use crate::node::home::store_failure;
use crate::node::library::{self, Control, Meter};
use crate::node::link::Inner;
use crate::node::rooms::Answered;
use crate::store::{Batch, Store, VerifiedChunk};
use crate::sync::event::{Event as SyncEvent, Refusal};
use crate::sync::frontier::Frontier;
use crate::sync::message::Message;

/// Entries of one case that are handed over at once, in bytes: a case of average length whole.
const ENTRIES_BYTES_HELD: usize = 16 * 1024 * 1024;

/// Chunks made durable in one go.
const CHUNK_BYTES_HELD: usize = 4 * 1024 * 1024;

/// How often a bundle is read: chunks that stand before the manifest page that names them are taken the next time.
const READINGS_MAX: usize = 3;

/// What the reader of a bundle asks the node.
pub(in crate::node) enum Unpacking {
    /// Whether anything is taken from this sender; `None` if that part of the bundle is damaged.
    Begin {
        sender: Option<Sender>,
        answer: oneshot::Sender<Result<Giver, Failure>>,
    },
    Cards {
        cards: Vec<Vec<u8>>,
    },
    Entries {
        giver: Giver,
        part: CasePart,
        answer: oneshot::Sender<Result<EntriesTaken, Failure>>,
    },
    /// Which of the chunks are wanted, and for which study.
    Chunks {
        chunks: Vec<ChunkId>,
        answer: oneshot::Sender<Vec<(ChunkId, StudyId)>>,
    },
    /// Nothing more comes; which of the cases are seen here now.
    End {
        cases: Vec<CaseId>,
        answer: oneshot::Sender<Vec<CaseId>>,
    },
}

/// From whom a bundle is, as far as that matters for what is taken.
#[derive(Debug, Clone, Copy)]
pub(in crate::node) struct Giver {
    device: Option<DeviceKey>,
    /// Whether new cases are taken.
    is_colleague: bool,
}

/// What a bundle holds of one case, in part.
#[derive(Debug, Clone, Default)]
pub(in crate::node) struct CasePart {
    case: Option<CaseId>,
    entries: Vec<Vec<u8>>,
    /// How far the sender had the case.
    frontier: Option<Frontier>,
}

/// What became of entries.
#[derive(Debug, Clone, Copy, Default)]
pub(in crate::node) struct EntriesTaken {
    new: u64,
    refused: u64,
    /// The sender is no colleague, and the case is new here or she is not in it.
    not_taken: bool,
}

impl Node {
    pub fn bundle_unpack(&mut self, path: PathBuf, task: Task) -> Result<Step, Failure> {
        let keys = self.me()?.vault.keys();
        let (device, sealing) =
            (keys.certificate.device(), SealingSecret::from_seed(keys.device.sealing.seed().duplicate()));
        let store = Arc::clone(self.store()?);
        let node = self.inner.clone();
        self.run_beside(task, move |control| {
            let reply = read_bundle(&path, device, &sealing, &store, &node, control)?;
            Ok(Box::new(move |_: &mut Node| Ok(reply)))
        })
    }

    /// Answers the reader of a bundle. A reader that gave up hears nothing.
    pub async fn unpacking(&mut self, unpacking: Unpacking) {
        match unpacking {
            Unpacking::Begin { sender, answer } => drop(answer.send(self.giver(sender.as_ref()))),
            Unpacking::Cards { cards } => self.cards_received(cards).await,
            Unpacking::Entries { giver, part, answer } => drop(answer.send(self.take_case_part(giver, part).await)),
            Unpacking::Chunks { chunks, answer } => {
                let wanted = chunks.into_iter().filter_map(|chunk| Some((chunk, self.studies.study_of(&chunk)?)));
                let _ = answer.send(wanted.collect());
            }
            Unpacking::End { cases, answer } => {
                self.forget_offered().await;
                let seen = self.rooms.ids();
                let _ = answer.send(cases.into_iter().filter(|case| seen.contains(case)).collect());
            }
        }
    }

    fn giver(&self, sender: Option<&Sender>) -> Result<Giver, Failure> {
        self.me()?;
        let Some(sender) = sender else { return Ok(Giver { device: None, is_colleague: false }) };
        let origin = self.origin(sender);
        let is_colleague = match origin.standing {
            SenderStanding::Colleague => true,
            SenderStanding::FellowMember => false,
            SenderStanding::Blocked => {
                return Err(Failure::new(
                    FailureCode::Untrusted,
                    format!("The bundle is from {}, whom you have blocked: nothing was taken in.", origin.name),
                )
                .hint("What she wrote in cases you share still comes through their other members."));
            }
            SenderStanding::Unknown => {
                return Err(Failure::new(
                    FailureCode::Untrusted,
                    format!("The bundle is from {}, whose card you do not hold: nothing was taken in.", origin.name),
                )
                .hint("Get her card, add it (`overread card add F`), compare it by voice (`overread card verify NAME`), and repeat."));
            }
        };
        Ok(Giver { device: Some(sender.device()), is_colleague })
    }

    /// Takes what a bundle holds of a case, and answers the invitation if it is one.
    async fn take_case_part(&mut self, giver: Giver, part: CasePart) -> Result<EntriesTaken, Failure> {
        self.me()?;
        let Some(case) = part.case else { return Ok(EntriesTaken::default()) };
        let here = self.rooms.get(&case).filter(|open| open.answered != Answered::Offered);
        // Where nobody is named, entries still prove themselves; who is named must be a member.
        let shares_it = here.is_some_and(|open| giver.device.is_none_or(|device| open.role_of(&device).is_some()));
        if !giver.is_colleague && !shares_it {
            return Ok(EntriesTaken { not_taken: true, ..EntriesTaken::default() });
        }
        let taken = self.take_in(giver.device, case, part.entries, AfterRefusal::GoOn).await;
        if taken.refused == Some(Refusal::Full) {
            return Err(Failure::new(FailureCode::DiskFull, "The disk is full: unpacking stopped.")
                .hint("Make room and repeat: what was taken in is kept, nothing is done twice."));
        }
        if !taken.stored.new.is_empty() {
            self.tell(SyncEvent::EntriesAdded { case, ids: taken.stored.new.clone() });
        }
        self.accept_invitation(case).await?;
        if let (Some(device), Some(frontier)) = (giver.device, part.frontier) {
            self.frontier_from_bundle(device, case, &frontier).await;
        }
        self.serve_waiters().await;
        Ok(EntriesTaken { new: taken.stored.new.len() as u64, refused: taken.refused_count as u64, not_taken: false })
    }
}

/// What came of reading a bundle.
#[derive(Default)]
struct Taken {
    entries_new: u64,
    chunks_new: u64,
    /// Chunks that are not here and that nobody wants, so far.
    unwanted: u64,
    problems: Vec<String>,
}

fn read_bundle(
    path: &Path,
    device: DeviceKey,
    sealing: &SealingSecret,
    store: &Store,
    node: &mpsc::Sender<Inner>,
    control: &Control<'_>,
) -> Result<Reply, Failure> {
    let file = open_file(path)?;
    let mut bundle = open(&file, device, sealing).map_err(|error| open_failure(path, &error))?;
    let sender = bundle.sender();
    let giver = ask(node, |answer| Unpacking::Begin { sender: sender.clone(), answer })??;
    let meter = Meter::new("unpack", bundle.outline().bytes, control);
    let mut unpacked = Taken::default();
    let mut tally = Tally::default();
    for reading in 0..READINGS_MAX {
        let mut reader = Reader::new(giver, store, node, control, &meter);
        let read = bundle.read_all(|message| reader.take(message))?;
        reader.flush()?;
        let taken = reader.taken;
        unpacked.entries_new += taken.entries_new;
        unpacked.chunks_new += taken.chunks_new;
        if reading == 0 {
            tally = read;
            unpacked.problems = taken.problems;
        }
        if taken.unwanted == 0 || taken.chunks_new == 0 {
            break;
        }
    }
    let mut cases: Vec<CaseId> = bundle.cases();
    if sender.is_none() {
        cases = tally.cases.iter().map(|count| count.case).collect();
    }
    let seen = ask(node, |answer| Unpacking::End { cases: cases.clone(), answer })?;
    let mut problems = problem_words(&tally.problems, tally.problem_count);
    problems.extend(lost(&tally));
    problems.extend(unpacked.problems);
    let unseen = cases.iter().filter(|case| !seen.contains(case) && giver.is_colleague);
    problems.extend(unseen.map(|case| {
        format!("{}: no entry in the bundle names you as a member, so nothing of the case was kept", called(case))
    }));
    Ok(Reply::Unpacked {
        cases: seen.iter().map(ToString::to_string).collect(),
        spoken: seen.iter().map(spoken_name).collect(),
        entries_new: unpacked.entries_new,
        chunks_new: unpacked.chunks_new,
        problems,
    })
}

/// What the sender packed and did not come out.
fn lost(tally: &Tally) -> Vec<String> {
    let came = |case: CaseId| tally.cases.iter().find(|count| count.case == case).copied();
    let packed = tally.packed.iter().flatten();
    let lost = packed.filter_map(|packed| {
        let (entries, chunks) = came(packed.case).map_or((0, 0), |came| (came.entries, came.chunks));
        let (entries, chunks) = (packed.entries.saturating_sub(entries), packed.chunks.saturating_sub(chunks));
        (entries + chunks > 0).then(|| {
            format!(
                "{}: {entries} of {} entries and {chunks} of {} chunks are lost; let them be packed again",
                called(&packed.case),
                packed.entries,
                packed.chunks
            )
        })
    });
    lost.collect()
}

/// One reading of a bundle.
struct Reader<'a> {
    giver: Giver,
    store: &'a Store,
    node: &'a mpsc::Sender<Inner>,
    control: &'a Control<'a>,
    meter: &'a Meter<'a>,
    read_bytes: u64,
    part: CasePart,
    part_bytes: usize,
    chunks: Vec<(CaseId, VerifiedChunk)>,
    chunk_bytes: usize,
    taken: Taken,
}

impl<'a> Reader<'a> {
    fn new(
        giver: Giver,
        store: &'a Store,
        node: &'a mpsc::Sender<Inner>,
        control: &'a Control<'a>,
        meter: &'a Meter<'a>,
    ) -> Self {
        Self {
            giver,
            store,
            node,
            control,
            meter,
            read_bytes: 0,
            part: CasePart::default(),
            part_bytes: 0,
            chunks: Vec::new(),
            chunk_bytes: 0,
            taken: Taken::default(),
        }
    }

    fn take(&mut self, message: Message) -> Result<(), Failure> {
        if self.control.is_cancelled() {
            self.flush()?;
            return Err(Failure::new(FailureCode::Interrupted, "Unpacking was stopped; what was taken in is kept.")
                .hint("Repeat the command for the rest: nothing is done twice."));
        }
        let case = message.case();
        if case.is_some() && case != self.part.case || matches!(message, Message::Chunk(_)) {
            self.flush_entries()?;
        }
        match message {
            Message::Cards(cards) if self.giver.is_colleague => {
                tell(self.node, Unpacking::Cards { cards: cards.0.into_iter().map(Vec::from).collect() })?;
            }
            Message::Frontier(frontier) => {
                self.part.case = Some(frontier.case);
                self.part.frontier = Some(frontier.frontier);
            }
            Message::Entries(entries) => {
                self.part.case = Some(entries.case);
                for entry in entries.entries.0 {
                    self.part_bytes += entry.len();
                    self.part.entries.push(entry.into());
                }
                if self.part_bytes > ENTRIES_BYTES_HELD {
                    self.flush_entries()?;
                }
            }
            Message::Chunk(chunk) => {
                self.chunk_bytes += chunk.bytes.len();
                // The bundle's reader compared name and bytes; this is the place that must not trust it.
                if let Some(verified) = VerifiedChunk::check(chunk.id, chunk.bytes.into()) {
                    self.chunks.push((chunk.case, verified));
                }
                if self.chunk_bytes > CHUNK_BYTES_HELD {
                    self.flush_chunks()?;
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn flush(&mut self) -> Result<(), Failure> {
        self.flush_entries()?;
        self.flush_chunks()
    }

    /// Hands the entries held over to the node.
    fn flush_entries(&mut self) -> Result<(), Failure> {
        let part = std::mem::take(&mut self.part);
        self.read_bytes += std::mem::take(&mut self.part_bytes) as u64;
        let Some(case) = part.case else { return Ok(()) };
        let giver = self.giver;
        let taken = ask(self.node, |answer| Unpacking::Entries { giver, part, answer })??;
        self.taken.entries_new += taken.new;
        if taken.not_taken {
            let why = "it is not a case you share with the sender, who is no colleague: add her card, then repeat";
            self.taken.problems.push(format!("{}: {why}", called(&case)));
        }
        if taken.refused > 0 {
            let why = "were refused: what they build on is missing, or they do not hold";
            self.taken.problems.push(format!("{}: {} entries {why}", called(&case), taken.refused));
        }
        self.meter.at(self.read_bytes);
        Ok(())
    }

    /// Makes those of the chunks held that are wanted durable. A manifest page among them makes more of them wanted.
    fn flush_chunks(&mut self) -> Result<(), Failure> {
        let mut held = std::mem::take(&mut self.chunks);
        self.read_bytes += std::mem::take(&mut self.chunk_bytes) as u64;
        let names: Vec<ChunkId> = held.iter().map(|(_, chunk)| chunk.id()).collect();
        let missing = self.store.missing(&names).map_err(store_failure)?;
        held.retain(|(_, chunk)| missing.contains(&chunk.id()));
        while !held.is_empty() {
            let names = held.iter().map(|(_, chunk)| chunk.id()).collect();
            let wanted = ask(self.node, |answer| Unpacking::Chunks { chunks: names, answer })?;
            if wanted.is_empty() {
                break;
            }
            let mut batch = Batch::new();
            let mut durable = Vec::new();
            let mut rest = Vec::new();
            for (case, chunk) in held {
                match wanted.iter().find(|(name, _)| *name == chunk.id()) {
                    Some((name, study)) => {
                        durable.push((case, *name));
                        batch.put_chunk(library::chunk_group(study), chunk);
                    }
                    None => rest.push((case, chunk)),
                }
            }
            self.store.commit(batch).map_err(store_failure)?;
            self.taken.chunks_new += durable.len() as u64;
            for (case, chunk) in durable {
                self.node.blocking_send(Inner::Durable { case, chunk }).map_err(|_| gone())?;
            }
            held = rest;
        }
        self.taken.unwanted += held.len() as u64;
        self.meter.at(self.read_bytes);
        Ok(())
    }
}

/// Asks the node something and waits for the answer.
fn ask<T>(node: &mpsc::Sender<Inner>, what: impl FnOnce(oneshot::Sender<T>) -> Unpacking) -> Result<T, Failure> {
    let (answer, answered) = oneshot::channel();
    tell(node, what(answer))?;
    answered.blocking_recv().map_err(|_| gone())
}

fn tell(node: &mpsc::Sender<Inner>, what: Unpacking) -> Result<(), Failure> {
    node.blocking_send(Inner::Unpacking(Box::new(what))).map_err(|_| gone())
}

fn gone() -> Failure {
    Failure::new(FailureCode::Interrupted, "The node ended while it unpacked; what was taken in is kept.")
        .hint("Repeat the command for the rest: nothing is done twice.")
}
