//! Chunks, objects, manifest pages and the study's head.

use std::collections::HashMap;

use overread::encoding::id::{Bytes, ChunkId};
use overread::encoding::to_bytes;
use overread::identity::keys::Secret;
use overread::seal::chunk::StudyKey;
use overread::study::manifest::{Geometry, InstanceEntry, ManifestError, SeriesHead, StudyHead, open_page, seal_pages};
use overread::study::object::{ObjectError, ObjectRef, SealedObject, open_object, seal_object};
use overread::study::order::Gaps;
use overread::study::packing::{FileParts, Layout, Packed, Packer, UnpackError};
use serde_json::{Value as Json, json};

use super::{base64, compare, flipped, hex};

pub(super) const STUDY_KEY: [u8; 32] = [0x66; 32];

fn key() -> StudyKey {
    StudyKey(Secret::new(STUDY_KEY))
}

fn refusal(error: &ObjectError) -> &'static str {
    match error {
        ObjectError::TooLong { .. } => "too-long",
        ObjectError::Unsealable => "ours",
        ObjectError::Malformed => "count",
        ObjectError::Missing { .. } => "missing",
        ObjectError::Damaged { .. } => "damaged",
        ObjectError::OtherBytes => "other-bytes",
    }
}

fn page_refusal(error: &ManifestError) -> &'static str {
    match error {
        ManifestError::Object(error) => refusal(error),
        ManifestError::Encoding(error) => super::decode_refusal(error),
        ManifestError::PageCount { .. } => "page-count",
        ManifestError::Unpack(UnpackError::TooLong { .. }) => "too-long",
        ManifestError::Unpack(_) => "unpack",
        ManifestError::HeadTooLong { .. } | ManifestError::PageTooLong { .. } | ManifestError::Pack(_) => "ours",
    }
}

fn object_json(object: &ObjectRef) -> Json {
    json!({
        "packed_hash": hex(&object.packed_hash.0), "packed_bytes": object.packed_bytes,
        "chunks": object.chunks.iter().map(|chunk| hex(&chunk.0)).collect::<Vec<_>>(),
    })
}

fn chunks_json(chunks: &[(ChunkId, Vec<u8>)]) -> Json {
    chunks.iter().map(|(id, bytes)| (hex(&id.0), json!(base64(bytes)))).collect::<serde_json::Map<_, _>>().into()
}

/// A small CT slice, packed, sealed, and as a page names it.
pub(super) fn instance() -> (InstanceEntry, SealedObject) {
    let pixels: Vec<u8> = (0..16 * 16u16).flat_map(|at| (1000 + at % 16 * 3).to_le_bytes()).collect();
    let layout = Layout { sample_bytes: 2, interleaved: 1, big_endian: false, signed: true, columns: 16, rows: 16 };
    let parts = FileParts { before: b"DICM header stands here", pixels: &pixels, after: &[], layout: Some(layout) };
    let packed = Packer::new().unwrap().pack(&parts).unwrap();
    let sealed = seal_object(&key(), &packed).unwrap();
    let entry = InstanceEntry {
        sop_class: "1.2.840.10008.5.1.4.1.1.2".into(),
        sop_instance: "2.25.329800735698586629295641978511506172918".into(),
        number: Some(-1),
        transfer_syntax: "1.2.840.10008.1.2.1".into(),
        frames: 1,
        rows: 16,
        columns: 16,
        geometry: Some(Geometry {
            position: "-180\\-180\\12.5".into(),
            orientation: "1\\0\\0\\0\\1\\0".into(),
            spacing: "0.7\\0.7".into(),
            thickness: "1".into(),
        }),
        plain_hash: Bytes(packed.plain_hash),
        file_bytes: packed.plain_bytes,
        object: sealed.object.clone(),
    };
    (entry, sealed)
}

/// The head of the study of [`instance`], with the page that names it.
pub(super) fn head() -> StudyHead {
    let (entry, _) = instance();
    let pages = seal_pages(&key(), "2.25.7", std::slice::from_ref(&entry)).unwrap();
    StudyHead {
        study: "2.25.5".into(),
        pseudonym: "QFTB-2K7D".into(),
        description: "CT THORAX".into(),
        modalities: vec!["CT".into()],
        body_parts: vec!["CHEST".into()],
        shifted_day: Some(-3),
        left_out: 1,
        series: vec![SeriesHead {
            series: "2.25.7".into(),
            modality: "CT".into(),
            description: "LUNG".into(),
            number: Some(2),
            body_part: "CHEST".into(),
            instances: 1,
            left_out: 1,
            gaps: Gaps { numbers: 1, positions: 0 },
            packed_bytes: entry.object.packed_bytes,
            pages: pages.iter().map(|page| page.object.clone()).collect(),
        }],
    }
}

#[test]
fn studies_are_as_committed() {
    let (entry, sealed) = instance();
    let pages = seal_pages(&key(), "2.25.7", std::slice::from_ref(&entry)).unwrap();
    let page = &pages[0];
    let held: HashMap<ChunkId, Vec<u8>> = page.chunks.iter().cloned().collect();
    let opened = open_page(&key(), &page.object, |id| held.get(id).cloned()).unwrap();
    assert_eq!(opened.instances, std::slice::from_ref(&entry));
    let made = json!({
        "study_key": hex(&STUDY_KEY),
        "study": hex(&key().study_id().0),
        "chunks": single_chunks(),
        "object": {
            "object": object_json(&sealed.object), "chunks": chunks_json(&sealed.chunks),
            "plain_hash": hex(&entry.plain_hash.0), "plain_bytes": entry.file_bytes,
        },
        "long_object": long_object(),
        "bad_objects": bad_objects(&sealed),
        "page": {
            "object": object_json(&page.object), "chunks": chunks_json(&page.chunks),
            "bytes": base64(&to_bytes(&opened)), "sop_instance": entry.sop_instance,
        },
        "bad_pages": bad_pages(&to_bytes(&opened)),
        "head": base64(&head().to_bytes().unwrap()),
    });
    compare("study.json", &made);
}

fn single_chunks() -> Json {
    let object = key().object_key(&[0x77; 32]);
    let (id, sealed) = object.seal(1, 3, b"a piece".to_vec()).unwrap();
    assert_eq!(object.open(1, 3, sealed.clone()).unwrap(), b"a piece");
    let vector = |name: &str, index: u32, count: u32, sealed: &[u8]| {
        json!({
            "name": name, "packed_hash": hex(&[0x77; 32]), "index": index, "count": count, "sealed": base64(sealed),
            "refusal": "sealed",
        })
    };
    let bad: Vec<(&str, u32, u32, Vec<u8>)> = vec![
        ("the place before", 0, 3, sealed.clone()),
        ("the place after", 2, 3, sealed.clone()),
        ("of another count", 1, 2, sealed.clone()),
        ("a flipped bit", 1, 3, flipped(&sealed, 2)),
    ];
    let bad: Vec<Json> = bad
        .into_iter()
        .map(|(name, index, count, sealed)| {
            assert!(object.open(index, count, sealed.clone()).is_err(), "{name}");
            vector(name, index, count, &sealed)
        })
        .collect();
    let mut good = vector("a piece", 1, 3, &sealed);
    good["plain"] = json!(base64(b"a piece"));
    good["chunk"] = json!(hex(&id.0));
    good.as_object_mut().unwrap().remove("refusal");
    json!({"good": [good], "bad": bad})
}

/// The first 600,000 bytes of BLAKE3's output over nothing, sealed in three chunks: too long to commit, easily made.
fn long_object() -> Json {
    let mut bytes = vec![0; 600_000];
    blake3::Hasher::new().finalize_xof().fill(&mut bytes);
    let packed_hash = *blake3::hash(&bytes).as_bytes();
    let plain_bytes = bytes.len() as u64;
    let packed = Packed { bytes, plain_hash: packed_hash, packed_hash, plain_bytes };
    let sealed = seal_object(&key(), &packed).unwrap();
    assert_eq!(sealed.chunks.len(), 3);
    json!({"xof_bytes": plain_bytes, "object": object_json(&sealed.object)})
}

fn bad_objects(sealed: &SealedObject) -> Vec<Json> {
    let (id, bytes) = sealed.chunks[0].clone();
    let other_bytes = flipped(&bytes, 9);
    let other_id = ChunkId::of(&other_bytes);
    let good = &sealed.object;
    let with = |change: &dyn Fn(&mut ObjectRef)| {
        let mut object = good.clone();
        change(&mut object);
        object
    };
    type Attempt<'a> = (&'a str, ObjectRef, Vec<(ChunkId, Vec<u8>)>, &'a str);
    let list: [Attempt<'_>; 7] = [
        ("a chunk that has not arrived", good.clone(), vec![], "missing"),
        ("a chunk that is not what its name says", good.clone(), vec![(id, other_bytes.clone())], "damaged"),
        (
            "a chunk that was altered and named anew",
            with(&|object| object.chunks = vec![other_id]),
            vec![(other_id, other_bytes)],
            "damaged",
        ),
        ("one chunk too many", with(&|object| object.chunks.push(id)), vec![(id, bytes.clone())], "count"),
        ("an endless object", with(&|object| object.packed_bytes = u64::MAX), vec![(id, bytes.clone())], "count"),
        ("another length", with(&|object| object.packed_bytes += 1), vec![(id, bytes.clone())], "other-bytes"),
        ("another hash", with(&|object| object.packed_hash = Bytes([0; 32])), vec![(id, bytes)], "damaged"),
    ];
    list.into_iter()
        .map(|(name, object, chunks, expected)| {
            let held: HashMap<ChunkId, Vec<u8>> = chunks.iter().cloned().collect();
            let error = open_object(&key(), &object, |id| held.get(id).cloned()).expect_err(name);
            assert_eq!(refusal(&error), expected, "{name}: {error}");
            let (object, chunks) = (object_json(&object), chunks_json(&chunks));
            json!({"name": name, "object": object, "chunks": chunks, "refusal": expected})
        })
        .collect()
}

fn bad_pages(page: &[u8]) -> Vec<Json> {
    use super::cbor::Value;
    let value = Value::read(page);
    let instance = value.clone().at(&[2, 0]).clone();
    let list: Vec<(&str, Vec<u8>, &str)> = vec![
        ("no instances", value.clone().set(&[2], Value::Array(vec![])).to_bytes(), "page-count"),
        ("501 instances", value.clone().set(&[2], Value::Array(vec![instance; 501])).to_bytes(), "page-count"),
        ("an unknown field", value.with_field(3, Value::Uint(1)).to_bytes(), "encoding"),
        ("bytes after the end", [page, &[0]].concat(), "encoding"),
        ("2 MiB and one byte", vec![0; 2 * 1024 * 1024 + 1], "too-long"),
    ];
    list.into_iter()
        .map(|(name, bytes, expected)| {
            let parts = FileParts { before: &bytes, pixels: &[], after: &[], layout: None };
            let sealed = seal_object(&key(), &Packer::new().unwrap().pack(&parts).unwrap()).unwrap();
            let held: HashMap<ChunkId, Vec<u8>> = sealed.chunks.iter().cloned().collect();
            let error = open_page(&key(), &sealed.object, |id| held.get(id).cloned()).expect_err(name);
            assert_eq!(page_refusal(&error), expected, "{name}: {error}");
            let (object, chunks) = (object_json(&sealed.object), chunks_json(&sealed.chunks));
            json!({"name": name, "object": object, "chunks": chunks, "refusal": expected})
        })
        .collect()
}
