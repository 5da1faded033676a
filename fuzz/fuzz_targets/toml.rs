//! TOML that people write: presets of de-identification and opinions.

#![no_main]

use libfuzzer_sys::fuzz_target;
use overread::node::api::OpinionDraft;
use overread::study::deidentify::preset::{PRESET_FILE_BYTES_MAX, PRESET_NAME_CHARS_MAX, Preset};

fuzz_target!(|text: &str| {
    if let Ok(preset) = Preset::from_toml(text) {
        assert!(text.len() <= PRESET_FILE_BYTES_MAX);
        assert!((1..=PRESET_NAME_CHARS_MAX).contains(&preset.name().len()));
        assert!(Preset::named(preset.name()).is_none());
    }
    if let Ok(draft) = toml::from_str::<OpinionDraft>(text) {
        let again = toml::to_string(&draft).expect("a draft is written");
        assert_eq!(toml::from_str(&again).as_ref(), Ok(&draft));
    }
});
