//! Heads of studies, manifest pages and the objects they name, from a member who sealed what she liked.

#![no_main]

use libfuzzer_sys::fuzz_target;
use minicbor::Decoder;
use overread::encoding::id::{Bytes, ChunkId};
use overread::identity::keys::Secret;
use overread::seal::chunk::StudyKey;
use overread::study::export::open_instance;
use overread::study::manifest::{ManifestPage, PAGE_INSTANCES_MAX, StudyHead, open_page};
use overread::study::object::{ObjectRef, open_object, seal_object};
use overread::study::order::into_reading_order;
use overread::study::packing::{FileParts, Packed, Packer};
use overread_fuzz::Parts;

fuzz_target!(|data: &[u8]| {
    let key = StudyKey(Secret::new([6; 32]));
    if let Ok(head) = StudyHead::from_bytes(data) {
        head.instances();
        head.days_after(&head);
        assert_eq!(head.to_bytes().ok().as_deref(), Some(data));
    }
    let mut parts = Parts(data);
    match parts.byte() & 3 {
        // A page as it stands, packed and sealed honestly.
        0 => {
            let page = FileParts { before: parts.rest(), pixels: &[], after: &[], layout: None };
            let packed = Packer::new().and_then(|mut packer| packer.pack(&page)).expect("anything can be packed");
            open(&key, &packed);
        }
        // A container as it stands.
        1 => {
            let bytes = parts.rest().to_vec();
            let packed_hash = *blake3::hash(&bytes).as_bytes();
            open(&key, &Packed { bytes, plain_hash: [0; 32], packed_hash, plain_bytes: 0 });
        }
        // A reference as it stands, and chunks.
        2 => {
            let chunk = parts.piece().to_vec();
            let Ok(object) = Decoder::new(parts.rest()).decode::<ObjectRef>() else { return };
            let opened = open_object(&key, &object, |_| Some(chunk.clone()));
            assert!(opened.is_err() || object.packed_bytes == 0);
            let _ = open_page(&key, &object, |_| Some(chunk.clone()));
        }
        // A page in memory, out of which images are opened and put in order.
        _ => {
            let Ok(page) = Decoder::new(parts.rest()).decode::<ManifestPage>() else { return };
            check(&key, page);
        }
    }
});

fn open(key: &StudyKey, packed: &Packed) {
    let sealed = seal_object(key, packed).expect("a short object is sealed");
    let fetch = |id: &ChunkId| sealed.chunks.iter().find(|(other, _)| other == id).map(|(_, bytes)| bytes.clone());
    assert_eq!(open_object(key, &sealed.object, fetch).as_ref(), Ok(&packed.bytes));
    if let Ok(page) = open_page(key, &sealed.object, fetch) {
        assert!((1..=PAGE_INSTANCES_MAX).contains(&page.instances.len()));
        check(key, page);
    }
    let elsewhere = ObjectRef { packed_hash: Bytes([0; 32]), ..sealed.object.clone() };
    assert!(packed.bytes.is_empty() || open_object(key, &elsewhere, fetch).is_err());
}

fn check(key: &StudyKey, mut page: ManifestPage) {
    for instance in &page.instances {
        assert!(open_instance(key, instance, |_| None).is_err());
    }
    let instances = page.instances.len();
    into_reading_order(&mut page.instances);
    assert_eq!(page.instances.len(), instances);
}
