//! Presets: which options of PS3.15 Annex E go on top of the Basic Profile.
//!
//! `consult`, the default, keeps what a second reader needs; `basic` keeps nothing. A TOML file may choose
//! otherwise, but two options do not exist here: original UIDs and original dates would let anybody who holds
//! the originals find the patient again, and the rest of the program relies on both being changed.

use serde::Deserialize;

/// The options a preset may turn on (PS3.15 E.3; CID 7050).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Options {
    pub patient_characteristics: bool,
    pub modified_dates: bool,
    pub descriptors: bool,
    pub structured_content: bool,
    pub graphics: bool,
    pub safe_private: bool,
    pub device_identity: bool,
    pub institution_identity: bool,
}

impl Options {
    pub const fn consult() -> Self {
        Self {
            patient_characteristics: true,
            modified_dates: true,
            descriptors: true,
            structured_content: true,
            graphics: true,
            safe_private: true,
            device_identity: false,
            institution_identity: false,
        }
    }
}

/// A named choice of options.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Preset {
    name: String,
    options: Options,
}

/// Longest name of a preset, in characters: it is written into (0012,0063), an LO of 64 characters.
pub const PRESET_NAME_CHARS_MAX: usize = 24;
/// Largest preset file, in bytes.
pub const PRESET_FILE_BYTES_MAX: usize = 16 * 1024;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PresetFile {
    name: String,
    #[serde(default)]
    options: Options,
}

impl Preset {
    pub fn consult() -> Self {
        Self { name: "consult".into(), options: Options::consult() }
    }

    pub fn basic() -> Self {
        Self { name: "basic".into(), options: Options::default() }
    }

    /// A preset the program ships.
    pub fn named(name: &str) -> Option<Self> {
        [Self::consult(), Self::basic()].into_iter().find(|preset| preset.name == name)
    }

    /// Reads a preset file: `name = "…"` and a table `[options]` of switches named as in [`Options`].
    pub fn from_toml(text: &str) -> Result<Self, PresetError> {
        if text.len() > PRESET_FILE_BYTES_MAX {
            return Err(PresetError::TooLarge { bytes: text.len() });
        }
        let file: PresetFile = toml::from_str(text).map_err(|error| PresetError::Malformed(error.message().into()))?;
        let plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        if file.name.is_empty() || file.name.len() > PRESET_NAME_CHARS_MAX || !file.name.chars().all(plain) {
            return Err(PresetError::Name);
        }
        if Self::named(&file.name).is_some() {
            return Err(PresetError::Shipped(file.name));
        }
        Ok(Self { name: file.name, options: file.options })
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    pub fn options(&self) -> &Options {
        &self.options
    }
}

/// Why a preset file was not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PresetError {
    #[error("the preset file has {bytes} bytes; at most {PRESET_FILE_BYTES_MAX} are allowed")]
    TooLarge { bytes: usize },
    #[error(
        "the preset file cannot be used: {0}; it takes name = \"…\" and under [options] true or false for \
         patient_characteristics, modified_dates, descriptors, structured_content, graphics, safe_private, \
         device_identity, institution_identity"
    )]
    Malformed(String),
    #[error("the preset's name must be 1 to {PRESET_NAME_CHARS_MAX} letters, digits, dashes or underscores")]
    Name,
    #[error("{0} is a preset of the program itself; give the file's preset another name")]
    Shipped(String),
}

/// De-identification method codes (PS3.16 CID 7050). An instance carries those it earned.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Method {
    BasicProfile,
    /// Earned by a mask, after import.
    CleanPixelData,
    CleanGraphics,
    CleanStructuredContent,
    CleanDescriptors,
    ModifiedDates,
    PatientCharacteristics,
    DeviceIdentity,
    SafePrivate,
    InstitutionIdentity,
}

impl Method {
    pub const fn code(self) -> &'static str {
        match self {
            Self::BasicProfile => "113100",
            Self::CleanPixelData => "113101",
            Self::CleanGraphics => "113103",
            Self::CleanStructuredContent => "113104",
            Self::CleanDescriptors => "113105",
            Self::ModifiedDates => "113107",
            Self::PatientCharacteristics => "113108",
            Self::DeviceIdentity => "113109",
            Self::SafePrivate => "113111",
            Self::InstitutionIdentity => "113112",
        }
    }

    /// The code's meaning, word for word as PS3.16 has it.
    pub const fn meaning(self) -> &'static str {
        match self {
            Self::BasicProfile => "Basic Application Confidentiality Profile",
            Self::CleanPixelData => "Clean Pixel Data Option",
            Self::CleanGraphics => "Clean Graphics Option",
            Self::CleanStructuredContent => "Clean Structured Content Option",
            Self::CleanDescriptors => "Clean Descriptors Option",
            Self::ModifiedDates => "Retain Longitudinal Temporal Information Modified Dates Option",
            Self::PatientCharacteristics => "Retain Patient Characteristics Option",
            Self::DeviceIdentity => "Retain Device Identity Option",
            Self::SafePrivate => "Retain Safe Private Option",
            Self::InstitutionIdentity => "Retain Institution Identity Option",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_preset_file_turns_options_on() {
        let preset = Preset::from_toml("name = \"teaching\"\n[options]\ndescriptors = true\n").unwrap();
        assert_eq!(preset.name(), "teaching");
        assert_eq!(*preset.options(), Options { descriptors: true, ..Options::default() });
        assert_eq!(*Preset::from_toml("name = \"x\"").unwrap().options(), Options::default());
    }

    #[test]
    fn what_is_wrong_with_a_preset_file_is_said() {
        for (text, part) in [
            ("name = \"x\"\n[options]\nuids = true\n", "unknown field `uids`"),
            ("name = \"x\"\n[options]\nfull_dates = true\n", "unknown field `full_dates`"),
            ("name = \"x\"\ncolour = 1\n", "unknown field `colour`"),
            ("[options]\n", "missing field `name`"),
            ("name = \"x\"\n[options]\ngraphics = \"yes\"\n", "expected a boolean"),
            ("name = \"\"", "1 to 24 letters"),
            ("name = \"a\\u001b[2J\"", "1 to 24 letters"),
            ("name = \"consult\"", "another name"),
            ("name", "cannot be used"),
        ] {
            let error = Preset::from_toml(text).unwrap_err().to_string();
            assert!(error.contains(part), "{text:?}: {error}");
        }
        assert!(matches!(Preset::from_toml(&"#".repeat(20_000)), Err(PresetError::TooLarge { bytes: 20_000 })));
    }
}
