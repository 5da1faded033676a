//! Bundles as a whole. The claims about damage are in [`damage`], those about packers who cheat in [`hostile`].

mod damage;
mod hostile;
mod roundtrip;

use std::convert::Infallible;
use std::io::Cursor;
use std::ops::ControlFlow;

use super::*;
use crate::encoding::id::{CaseId, ChunkId, EntryId};
use crate::encoding::random::Seeded;
use crate::encoding::time::Timestamp;
use crate::identity::certificate::DeviceCertificate;
use crate::identity::keys::{DeviceSecrets, SigningSecret};
use crate::sync::frontier::{Frontier, Head};
use crate::sync::message::Message;

/// A device and its certificate.
struct Device {
    secrets: DeviceSecrets,
    certificate: DeviceCertificate,
}

impl Device {
    fn new(seed: u64) -> Self {
        let mut rng = Seeded::new(seed);
        let secrets = DeviceSecrets::random(&mut rng);
        let certificate = DeviceCertificate::issue(&SigningSecret::random(&mut rng), &secrets, Timestamp(5));
        Self { secrets, certificate }
    }

    fn recipient(&self) -> Recipient {
        Recipient { device: self.secrets.device(), sealing: self.secrets.sealing.public() }
    }

    fn open(&self, bundle: &[u8]) -> Result<OpenBundle<Cursor<Vec<u8>>>, BundleError> {
        open(Cursor::new(bundle.to_vec()), self.secrets.device(), &self.secrets.sealing)
    }
}

const SENDER: u64 = 1;
const RECIPIENT: u64 = 2;

/// One case's part of a bundle, in memory.
#[derive(Debug, Clone)]
struct Content {
    case: CaseId,
    frontier: Frontier,
    entries: Vec<Vec<u8>>,
    chunks: Vec<Vec<u8>>,
}

impl Content {
    /// Bytes that differ everywhere, of these lengths.
    fn new(n: u8, entries: &[usize], chunks: &[usize]) -> Self {
        let mut rng = Seeded::new(u64::from(n) + 100);
        let mut filled = |lengths: &[usize]| -> Vec<Vec<u8>> {
            let mut fill = |length: &usize| {
                let mut bytes = vec![0; *length];
                crate::encoding::random::Rng::fill_bytes(&mut rng, &mut bytes);
                bytes
            };
            lengths.iter().map(&mut fill).collect()
        };
        let mut frontier = Frontier::default();
        frontier.set(Device::new(SENDER).secrets.device(), vec![Head { sequence: 3, id: EntryId([n; 32]) }]);
        Self { case: CaseId([n; 32]), frontier, entries: filled(entries), chunks: filled(chunks) }
    }

    fn to_pack(&self) -> CasePack<'_> {
        CasePack {
            case: self.case,
            frontier: self.frontier.clone(),
            entries: Box::new(self.entries.iter().cloned().map(Ok)),
            chunks: Box::new(self.chunks.iter().cloned().map(|bytes| Ok((ChunkId::of(&bytes), bytes)))),
        }
    }
}

/// A bundle from [`SENDER`] for these recipients.
fn packed_for(recipients: Vec<Recipient>, contents: &[Content], cards: &[Vec<u8>], seed: u64) -> (Vec<u8>, Packed) {
    let sender = Device::new(SENDER);
    let mut bundle = Vec::new();
    let plan = PackPlan {
        recipients,
        certificate: &sender.certificate,
        signing: &sender.secrets.signing,
        now: Timestamp(77),
        cases: contents.iter().map(Content::to_pack).collect(),
        cards: cards.to_vec(),
    };
    let packed = pack(&mut bundle, plan, &mut Seeded::new(seed), &mut |_| ControlFlow::Continue(())).unwrap();
    (bundle, packed)
}

/// A bundle from [`SENDER`] for [`RECIPIENT`].
fn packed(contents: &[Content]) -> Vec<u8> {
    packed_for(vec![Device::new(RECIPIENT).recipient()], contents, &[], 9).0
}

/// Everything [`RECIPIENT`] takes out.
fn unpacked(bundle: &[u8]) -> (Vec<Message>, Tally) {
    let mut messages = Vec::new();
    let mut open = Device::new(RECIPIENT).open(bundle).unwrap();
    let Ok(tally) = open.read_all(|message| {
        messages.push(message);
        Ok::<_, Infallible>(())
    });
    (messages, tally)
}

/// Entries or chunks, each with its case.
type Pieces = Vec<(CaseId, Vec<u8>)>;

/// The entries and chunks among messages, in order.
fn pieces(messages: &[Message]) -> (Pieces, Pieces) {
    let (mut entries, mut chunks) = (vec![], vec![]);
    for message in messages {
        match message {
            Message::Entries(some) => entries.extend(some.entries.0.iter().map(|e| (some.case, e.to_vec()))),
            Message::Chunk(chunk) => chunks.push((chunk.case, chunk.bytes.to_vec())),
            _ => {}
        }
    }
    (entries, chunks)
}
