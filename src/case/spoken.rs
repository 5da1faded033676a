//! The two words by which people speak of a case.

use crate::encoding::id::CaseId;
use crate::encoding::labels::SPOKEN_NAME;

/// Two words of the BIP-39 English list, made of the case id: the same for every member, telling nothing.
pub fn spoken_name(case: &CaseId) -> String {
    let words = bip39::Language::English.word_list();
    let hash = blake3::derive_key(SPOKEN_NAME, &case.0);
    let word = |at: usize| words[(usize::from(hash[at]) << 8 | usize::from(hash[at + 1])) % words.len()];
    format!("{} {}", word(0), word(2))
}

/// Whether a person who typed this means the case: case and the gap between the words do not matter.
pub fn is_spoken_name(case: &CaseId, typed: &str) -> bool {
    let typed: Vec<String> = typed
        .split(|c: char| c.is_whitespace() || c == '-')
        .filter(|word| !word.is_empty())
        .map(str::to_lowercase)
        .collect();
    typed.join(" ") == spoken_name(case)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_case_is_found_by_its_words_however_they_are_typed() {
        let case = CaseId([3; 32]);
        let name = spoken_name(&case);
        assert_eq!(name.split(' ').count(), 2);
        for typed in
            [name.clone(), name.to_uppercase(), name.replace(' ', "-"), format!("  {}  ", name.replace(' ', "   "))]
        {
            assert!(is_spoken_name(&case, &typed), "{typed}");
        }
        assert!(!is_spoken_name(&CaseId([4; 32]), &name));
    }
}
