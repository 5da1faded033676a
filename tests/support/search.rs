//! A search for what must be nowhere: each secret in every form in which bytes usually travel.

use std::collections::BTreeMap;
use std::path::Path;

use data_encoding::{BASE32_NOPAD, BASE64_NOPAD, BASE64URL_NOPAD, HEXLOWER, HEXUPPER};

/// Fewer bytes than these are found in noise by chance.
const PATTERN_BYTES_MIN: usize = 6;

/// Bytes of a pattern that the first look compares.
const START_BYTES: usize = 3;

/// What must be nowhere, and what it is called.
#[derive(Clone)]
pub struct Secret {
    pub name: String,
    bytes: Vec<u8>,
    is_text: bool,
}

impl Secret {
    pub fn text(name: impl Into<String>, text: &str) -> Self {
        Self::new(name.into(), text.as_bytes(), true)
    }

    pub fn bytes(name: impl Into<String>, bytes: &[u8]) -> Self {
        Self::new(name.into(), bytes, false)
    }

    fn new(name: String, bytes: &[u8], is_text: bool) -> Self {
        assert!(bytes.len() >= PATTERN_BYTES_MIN, "{name} is too short to be searched for");
        Self { name, bytes: bytes.to_vec(), is_text }
    }

    /// One of its forms; any number will do.
    pub fn form(&self, number: usize) -> Vec<u8> {
        let mut forms = self.forms();
        forms.swap_remove(number % forms.len()).1
    }

    /// Every form of it, with a name.
    fn forms(&self) -> Vec<(&'static str, Vec<u8>)> {
        let mut forms = vec![("as it is", self.bytes.clone())];
        if let (true, Ok(text)) = (self.is_text, std::str::from_utf8(&self.bytes)) {
            for text in [text.to_owned(), text.to_lowercase(), text.to_uppercase()] {
                forms.push(("in another case", text.clone().into_bytes()));
                forms.push(("UTF-16, little endian", text.encode_utf16().flat_map(u16::to_le_bytes).collect()));
                forms.push(("UTF-16, big endian", text.encode_utf16().flat_map(u16::to_be_bytes).collect()));
            }
        }
        forms.push(("hex", HEXLOWER.encode(&self.bytes).into_bytes()));
        forms.push(("hex in capitals", HEXUPPER.encode(&self.bytes).into_bytes()));
        for skipped in 0..3 {
            forms.push(("base64", self.inside(skipped, (3, 4), |bytes| BASE64_NOPAD.encode(bytes))));
            forms.push(("base64 of URLs", self.inside(skipped, (3, 4), |bytes| BASE64URL_NOPAD.encode(bytes))));
        }
        for skipped in 0..5 {
            let base32 = self.inside(skipped, (5, 8), |bytes| BASE32_NOPAD.encode(bytes));
            forms.push(("base32", base32.to_ascii_lowercase()));
            forms.push(("base32 in capitals", base32));
        }
        forms.retain(|(_, pattern)| pattern.len() >= PATTERN_BYTES_MIN);
        forms
    }

    /// How it looks inside a longer encoded text: what of it fills whole groups of `bytes` when so many bytes of a
    /// group come before it.
    fn inside(&self, skipped: usize, (bytes, letters): (usize, usize), encode: fn(&[u8]) -> String) -> Vec<u8> {
        let first = (bytes - skipped) % bytes;
        let whole = self.bytes.len().saturating_sub(first) / bytes;
        let text = encode(&self.bytes[first.min(self.bytes.len())..][..whole * bytes]);
        assert_eq!(text.len(), whole * letters);
        text.into_bytes()
    }
}

/// The secrets that were found, each with the form in which it was.
pub type Found = BTreeMap<String, &'static str>;

/// A secret by its place among the names, a form, and its bytes in it.
type Pattern = (usize, &'static str, Vec<u8>);

/// Many secrets, searched for at once.
pub struct Search {
    patterns: BTreeMap<[u8; START_BYTES], Vec<Pattern>>,
    /// One bit for each start that a pattern has.
    starts: Vec<u64>,
    names: Vec<String>,
}

impl Search {
    pub fn new(secrets: &[Secret]) -> Self {
        let mut search = Self { patterns: BTreeMap::new(), starts: vec![0; 1 << 18], names: Vec::new() };
        for secret in secrets {
            for (form, bytes) in secret.forms() {
                let start: [u8; START_BYTES] = bytes[..START_BYTES].try_into().unwrap();
                let (word, bit) = place(start);
                search.starts[word] |= bit;
                search.patterns.entry(start).or_default().push((search.names.len(), form, bytes));
            }
            search.names.push(secret.name.clone());
        }
        search
    }

    /// The secrets that occur in some bytes.
    pub fn bytes(&self, bytes: &[u8]) -> Found {
        let mut found = Found::new();
        for at in 0..bytes.len().saturating_sub(START_BYTES - 1) {
            let start = [bytes[at], bytes[at + 1], bytes[at + 2]];
            let (word, bit) = place(start);
            if self.starts[word] & bit == 0 {
                continue;
            }
            for (name, form, pattern) in self.patterns.get(&start).into_iter().flatten() {
                if bytes[at..].starts_with(pattern) {
                    found.entry(self.names[*name].clone()).or_insert(*form);
                }
            }
        }
        found
    }

    /// The secrets that occur in a file or in any file under a folder, in its name too.
    pub fn files(&self, path: &Path) -> Found {
        let mut found = Found::new();
        for entry in walkdir::WalkDir::new(path) {
            let entry = entry.unwrap();
            found.extend(self.bytes(entry.file_name().as_encoded_bytes()));
            if entry.file_type().is_file() {
                found.extend(self.bytes(&std::fs::read(entry.path()).unwrap()));
            }
        }
        found
    }
}

fn place(start: [u8; START_BYTES]) -> (usize, u64) {
    let number = usize::from(start[0]) << 16 | usize::from(start[1]) << 8 | usize::from(start[2]);
    (number / 64, 1 << (number % 64))
}

#[test]
fn each_form_of_a_secret_is_found_wherever_it_begins() {
    let secrets = [Secret::text("a word", "Zaphyra Öl"), Secret::bytes("a key", &[0xff; 32].map(|byte| byte ^ 0x5a))];
    let search = Search::new(&secrets);
    for secret in &secrets {
        for before in 0..5 {
            let plain = [&vec![b'x'; before][..], &secret.bytes, b"and more"].concat();
            for text in [BASE64_NOPAD.encode(&plain), BASE32_NOPAD.encode(&plain), HEXLOWER.encode(&plain)] {
                let found = search.bytes(text.as_bytes());
                assert!(found.contains_key(&secret.name), "{text}: {found:?}");
            }
        }
        for (form, bytes) in secret.forms() {
            let found = search.bytes(&[b"noise", &bytes[..], b"noise"].concat());
            assert!(found.contains_key(&secret.name), "{form} of {}", secret.name);
        }
    }
    assert!(search.bytes("Zaphyr Öl and nothing else".repeat(1000).as_bytes()).is_empty());
}
