//! What the person set, as one sealed row.

use minicbor::{Decode, Encode};

use super::api::{Failure, FailureCode, Reply, SettingsView};
use super::core::Node;
use super::home::store_failure;
use crate::encoding::time::{DAY_MS, parse_duration_ms};
use crate::encoding::{from_bytes, to_bytes};
use crate::store::{Batch, Store, Table};

const SETTINGS: &[u8] = b"settings";

/// Longest settings row that is read, in bytes.
const SETTINGS_BYTES_MAX: usize = 64 * 1024;

/// Longest time for which a closed case's pixels are kept here, in days.
const RETENTION_DAYS_MAX: u32 = 3650;

/// Settings with their defaults.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub(super) struct Settings {
    /// The recovery code stands on paper: its owner typed words of it back.
    #[n(0)]
    pub recovery_confirmed: bool,
    /// Days after closing at which non-owners drop a case's pixels.
    #[n(1)]
    pub retention_days: u32,
    /// One of [`GRAPHICS`]; absent in homes that are older than the setting: the first.
    #[n(2)]
    pub graphics: Option<String>,
    /// The app locks after so long without a key; 0: never. Absent in homes that are older than the setting.
    #[n(3)]
    pub lock_after_seconds: Option<u64>,
}

/// How the app can be told to show pictures; it gives these words their meaning.
pub const GRAPHICS: [&str; 6] = ["auto", "kitty", "sixel", "iterm2", "half-blocks", "none"];

/// When the app locks unless somebody said otherwise, in seconds.
const LOCK_AFTER_SECONDS: u64 = 15 * 60;

/// The times that can be set, in seconds.
const LOCK_AFTER_SECONDS_SET: std::ops::RangeInclusive<u64> = 30..=24 * 3600;

impl Default for Settings {
    fn default() -> Self {
        Self { recovery_confirmed: false, retention_days: 30, graphics: None, lock_after_seconds: None }
    }
}

impl Settings {
    pub fn load(store: &Store) -> Result<Self, Failure> {
        let row = store.row(Table::Setting, SETTINGS).map_err(store_failure)?;
        Ok(row.and_then(|bytes| from_bytes(&bytes, SETTINGS_BYTES_MAX).ok()).unwrap_or_default())
    }

    pub fn put(&self, batch: &mut Batch) {
        batch.put_row(Table::Setting, SETTINGS, &to_bytes(self));
    }

    fn set(&mut self, name: &str, value: &str) -> Result<(), Failure> {
        match name {
            "retention" => self.retention_days = retention_days(value)?,
            "graphics" => self.graphics = Some(graphics(value)?),
            "lock-after" => self.lock_after_seconds = Some(lock_after_seconds(value)?),
            _ => {
                return Err(Failure::new(FailureCode::WrongUse, format!("There is no setting {name:?}."))
                    .hint("There are: retention, graphics, lock-after."));
            }
        }
        Ok(())
    }

    fn view(&self) -> SettingsView {
        let lock_after = self.lock_after_seconds.unwrap_or(LOCK_AFTER_SECONDS);
        SettingsView {
            retention_days: self.retention_days,
            graphics: self.graphics.clone().unwrap_or_else(|| GRAPHICS[0].into()),
            lock_after_seconds: (lock_after > 0).then_some(lock_after),
        }
    }
}

/// Days from what a person typed: a number, or a duration of whole days.
fn retention_days(value: &str) -> Result<u32, Failure> {
    let days = value.parse::<u32>().ok().or_else(|| {
        let milliseconds = parse_duration_ms(value).filter(|ms| ms % DAY_MS == 0)?;
        u32::try_from(milliseconds / DAY_MS).ok()
    });
    days.filter(|days| *days <= RETENTION_DAYS_MAX).ok_or_else(|| {
        Failure::new(FailureCode::WrongUse, format!("{value:?} is no time to keep pixels for."))
            .hint(format!("Write whole days, from 0 to {RETENTION_DAYS_MAX}: 14 or 14d."))
    })
}

fn graphics(value: &str) -> Result<String, Failure> {
    GRAPHICS.contains(&value).then(|| value.to_owned()).ok_or_else(|| {
        Failure::new(FailureCode::WrongUse, format!("{value:?} is no way to show pictures."))
            .hint(format!("There are: {}.", GRAPHICS.join(", ")))
    })
}

/// Seconds from a duration that a person typed; 0 for `never`.
fn lock_after_seconds(value: &str) -> Result<u64, Failure> {
    if value == "never" {
        return Ok(0);
    }
    let seconds = parse_duration_ms(value).and_then(|ms| u64::try_from(ms / 1000).ok());
    seconds.filter(|seconds| LOCK_AFTER_SECONDS_SET.contains(seconds)).ok_or_else(|| {
        Failure::new(FailureCode::WrongUse, format!("{value:?} is no time after which the app locks."))
            .hint("Write a time from 30s to 24h, such as 15m, or never.")
    })
}

impl Node {
    pub fn settings_show(&self) -> Result<Reply, Failure> {
        Ok(Reply::Settings(self.me()?.settings.view()))
    }

    /// Changes one setting, and does at once what it asks for.
    pub async fn settings_set(&mut self, name: &str, value: &str) -> Result<Reply, Failure> {
        let mut settings = self.me()?.settings.clone();
        settings.set(name, value)?;
        let mut batch = Batch::new();
        settings.put(&mut batch);
        self.commit(batch).await?;
        let view = settings.view();
        self.me_mut()?.settings = settings;
        self.drop_pixels_after_retention().await;
        self.want_everything().await;
        Ok(Reply::Settings(view))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retention_is_read_in_whole_days() {
        for (typed, days) in [("0", 0), ("14", 14), ("14d", 14), ("48h", 2), ("3650", 3650)] {
            assert_eq!(retention_days(typed).unwrap(), days, "{typed}");
        }
        for typed in ["", "-1", "1.5", "36h", "3651", "4000d", "soon", "99999999999999999999d"] {
            assert_eq!(retention_days(typed).unwrap_err().code, FailureCode::WrongUse, "{typed}");
        }
    }

    #[test]
    fn the_app_locks_after_a_time_or_never() {
        for (typed, seconds) in [("30s", 30), ("15m", 900), ("24h", 86_400), ("never", 0)] {
            assert_eq!(lock_after_seconds(typed).unwrap(), seconds, "{typed}");
        }
        for typed in ["", "0", "29s", "25h", "-5m", "15", "soon"] {
            assert_eq!(lock_after_seconds(typed).unwrap_err().code, FailureCode::WrongUse, "{typed}");
        }
    }

    #[test]
    fn pictures_are_shown_as_one_of_the_words_says() {
        for word in GRAPHICS {
            let mut settings = Settings::default();
            settings.set("graphics", word).unwrap();
            assert_eq!(settings.view().graphics, word);
        }
        assert_eq!(graphics("Kitty").unwrap_err().code, FailureCode::WrongUse);
    }

    #[test]
    fn settings_of_an_older_home_are_read_with_the_defaults_of_what_they_lack() {
        #[derive(Encode)]
        #[cbor(map)]
        struct Older {
            #[n(0)]
            recovery_confirmed: bool,
            #[n(1)]
            retention_days: u32,
        }
        let row = to_bytes(&Older { recovery_confirmed: true, retention_days: 7 });
        let view = from_bytes::<Settings>(&row, SETTINGS_BYTES_MAX).unwrap().view();
        let expected = SettingsView { retention_days: 7, graphics: "auto".into(), lock_after_seconds: Some(900) };
        assert_eq!(view, expected);
    }

    #[test]
    fn an_unknown_setting_changes_nothing() {
        let mut settings = Settings::default();
        assert!(settings.set("retain", "3").is_err());
        assert_eq!(settings, Settings::default());
    }
}
