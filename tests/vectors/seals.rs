//! Derived keys, and what is sealed with HPKE: epoch secrets and notices.

use overread::encoding::id::{Bytes, CaseId, EntryId};
use overread::encoding::labels::{DERIVE_OBJECT_KEY, DERIVE_STUDY_NAME};
use overread::encoding::random::Seeded;
use overread::identity::keys::{DeviceKey, DeviceSecrets, Secret};
use overread::seal::aead;
use overread::seal::epoch::{EpochSecret, NoticeContext, open_notice, seal_notice};
use serde_json::{Value as Json, json};

use super::{base64, compare, device_json, flipped, hex};

fn array<const N: usize>(bytes: Vec<u8>) -> Bytes<N> {
    Bytes(bytes.try_into().unwrap())
}

#[test]
fn seals_are_as_committed() {
    let mut rng = Seeded::new(50);
    let device = DeviceSecrets::random(&mut rng);
    let other = DeviceSecrets::random(&mut rng);
    let case = CaseId([0x11; 32]);
    let made = json!({
        "derive": derivations(),
        "entry_key": entry_key(&mut rng, case, device.device()),
        "epoch": epoch_seals(&mut rng, case, &device, &other),
        "wrap": wraps(&mut rng),
        "notice": notices(&mut rng, case, &device, &other),
    });
    compare("seals.json", &made);
}

fn derivations() -> Json {
    let secret = Secret::new([0x22; 32]);
    let contexts: [(&str, Vec<&[u8]>); 3] =
        [(DERIVE_STUDY_NAME, vec![]), (DERIVE_OBJECT_KEY, vec![&[3; 32]]), (DERIVE_OBJECT_KEY, vec![b"a", b"bc"])];
    let list: Vec<Json> = contexts
        .iter()
        .map(|(label, context)| {
            let out = aead::derive_bytes(&secret, label, context);
            json!({"secret": hex(secret.reveal()), "label": label, "context": hex(&context.concat()), "out": hex(&out)})
        })
        .collect();
    json!(list)
}

fn entry_key(rng: &mut Seeded, case: CaseId, device: DeviceKey) -> Json {
    let secret = EpochSecret::random(rng);
    let salt = [0x33; 32];
    let key = secret.entry_key(case, device, &salt);
    json!({
        "secret": hex(secret.0.reveal()), "case": hex(&case.0), "device": hex(&device.0), "salt": hex(&salt),
        "key": hex(key.0.reveal()), "commitment": hex(&key.commitment()), "epoch_commitment": hex(&secret.commitment()),
    })
}

fn epoch_seals(rng: &mut Seeded, case: CaseId, device: &DeviceSecrets, other: &DeviceSecrets) -> Json {
    let secret = EpochSecret::random(rng);
    let key = device.device();
    let commitment = secret.commitment();
    let seal = secret.seal_to(case, key, &device.sealing.public(), rng).unwrap();
    let opened = EpochSecret::open(&seal, case, &commitment, key, &device.sealing).unwrap();
    assert_eq!(opened.0.reveal(), secret.0.reveal());
    let vector = |name: &str, seal: &[u8], case: CaseId, commitment: &[u8; 32], key: DeviceKey| {
        json!({
            "name": name, "recipient": device_json(device), "seal": base64(seal), "case": hex(&case.0),
            "commitment": hex(commitment), "device": hex(&key.0), "refusal": "sealed",
        })
    };
    type Attempt<'a> = (&'a str, Vec<u8>, CaseId, [u8; 32], DeviceKey);
    let bad: [Attempt<'_>; 5] = [
        ("a flipped bit in the encapsulation", flipped(&seal.0, 1100), case, commitment, key),
        ("a flipped bit in the secret", flipped(&seal.0, 1130), case, commitment, key),
        ("another case", seal.0.to_vec(), CaseId([0x12; 32]), commitment, key),
        ("another commitment", seal.0.to_vec(), case, [7; 32], key),
        ("another device", seal.0.to_vec(), case, commitment, other.device()),
    ];
    let bad: Vec<Json> = bad
        .into_iter()
        .map(|(name, seal, case, commitment, key)| {
            let opened = EpochSecret::open(&array(seal.clone()), case, &commitment, key, &device.sealing);
            assert!(opened.is_err(), "{name}");
            vector(name, &seal, case, &commitment, key)
        })
        .collect();
    let mut good = vector("a seal", &seal.0, case, &commitment, key);
    good["secret"] = json!(hex(secret.0.reveal()));
    good["public"] = json!(base64(&device.sealing.public().0.0));
    good.as_object_mut().unwrap().remove("refusal");
    json!({"good": [good], "bad": bad})
}

fn wraps(rng: &mut Seeded) -> Json {
    let (later, earlier) = (EpochSecret::random(rng), EpochSecret::random(rng));
    let epoch = EntryId([0x44; 32]);
    let wrapped = later.wrap(&earlier, epoch).unwrap();
    let commitment = earlier.commitment();
    assert_eq!(later.unwrap(&wrapped, epoch, &commitment).unwrap().0.reveal(), earlier.0.reveal());
    let vector = |name: &str, wrapped: &[u8], epoch: EntryId, commitment: &[u8; 32]| {
        json!({
            "name": name, "later": hex(later.0.reveal()), "epoch": hex(&epoch.0), "wrapped": hex(wrapped),
            "commitment": hex(commitment), "refusal": "sealed",
        })
    };
    let bad: Vec<(&str, Vec<u8>, EntryId, [u8; 32])> = vec![
        ("a flipped bit", flipped(&wrapped.0, 5), epoch, commitment),
        ("another epoch", wrapped.0.to_vec(), EntryId([0x45; 32]), commitment),
        ("a secret that is not the published one", wrapped.0.to_vec(), epoch, [7; 32]),
    ];
    let bad: Vec<Json> = bad
        .into_iter()
        .map(|(name, wrapped, epoch, commitment)| {
            assert!(later.unwrap(&array(wrapped.clone()), epoch, &commitment).is_err(), "{name}");
            vector(name, &wrapped, epoch, &commitment)
        })
        .collect();
    let mut good = vector("a wrap", &wrapped.0, epoch, &commitment);
    good["earlier"] = json!(hex(earlier.0.reveal()));
    good.as_object_mut().unwrap().remove("refusal");
    json!({"good": [good], "bad": bad})
}

fn notices(rng: &mut Seeded, case: CaseId, device: &DeviceSecrets, other: &DeviceSecrets) -> Json {
    let salt = [0x55; 32];
    let context = NoticeContext { case, salt: &salt, device: device.device() };
    let sealed = seal_notice(2, context, device.notice.public(), rng).unwrap();
    assert_eq!(open_notice(&sealed, context, &device.notice), Ok(2));
    let vector = |name: &str, sealed: &[u8], context: NoticeContext<'_>| {
        json!({
            "name": name, "recipient": device_json(device), "sealed": base64(sealed), "case": hex(&context.case.0),
            "salt": hex(context.salt), "device": hex(&context.device.0), "refusal": "sealed",
        })
    };
    let other_salt = [0x56; 32];
    let bad: Vec<(&str, Vec<u8>, NoticeContext<'_>)> = vec![
        ("a flipped bit", flipped(&sealed.0, 33), context),
        ("another case", sealed.0.to_vec(), NoticeContext { case: CaseId([0x12; 32]), ..context }),
        ("another entry's salt", sealed.0.to_vec(), NoticeContext { salt: &other_salt, ..context }),
        ("another device", sealed.0.to_vec(), NoticeContext { device: other.device(), ..context }),
    ];
    let bad: Vec<Json> = bad
        .into_iter()
        .map(|(name, sealed, context)| {
            assert!(open_notice(&array(sealed.clone()), context, &device.notice).is_err(), "{name}");
            vector(name, &sealed, context)
        })
        .collect();
    let mut good = vector("a notice", &sealed.0, context);
    good["class"] = json!(2);
    good["public"] = json!(hex(&device.notice.public().0.0));
    good.as_object_mut().unwrap().remove("refusal");
    json!({"good": [good], "bad": bad})
}
