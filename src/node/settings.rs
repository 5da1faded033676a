//! What the person set, as one sealed row.

use std::path::PathBuf;

use minicbor::{Decode, Encode};

use super::api::{Failure, FailureCode, PacsListen, PacsTls, Reply, SettingsView};
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
    /// How it listened for neighbours last. Absent until then.
    #[n(4)]
    pub listen: Option<Listen>,
}

/// A listener that is remembered.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub(super) struct Listen {
    #[n(0)]
    address: String,
    #[n(1)]
    ae_title: String,
    #[n(2)]
    allow: Vec<String>,
    #[n(3)]
    any_ae: bool,
    /// Certificates and key; both or none.
    #[n(4)]
    tls: Option<(String, String)>,
    #[n(5)]
    authorities: Option<String>,
}

/// How the app can be told to show pictures; it gives these words their meaning.
pub const GRAPHICS: [&str; 6] = ["auto", "kitty", "sixel", "iterm2", "half-blocks", "none"];

/// When the app locks unless somebody said otherwise, in seconds.
const LOCK_AFTER_SECONDS: u64 = 15 * 60;

/// The times that can be set, in seconds.
const LOCK_AFTER_SECONDS_SET: std::ops::RangeInclusive<u64> = 30..=24 * 3600;

impl Default for Settings {
    fn default() -> Self {
        Self { recovery_confirmed: false, retention_days: 30, graphics: None, lock_after_seconds: None, listen: None }
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
            listen: self.listen.as_ref().map(Listen::request),
        }
    }

    /// Takes a listener over; one that would make the row longer than what is read is not remembered.
    fn remember(&mut self, request: &PacsListen) -> bool {
        let changed = Self { listen: Listen::of(request), ..self.clone() };
        let is_kept = changed != *self && to_bytes(&changed).len() <= SETTINGS_BYTES_MAX;
        if is_kept {
            *self = changed;
        }
        is_kept
    }
}

impl Listen {
    /// `None` if a path is no text.
    fn of(request: &PacsListen) -> Option<Self> {
        let text = |path: &PathBuf| path.to_str().map(str::to_owned);
        let (tls, authorities) = match &request.tls {
            None => (None, None),
            Some(PacsTls { certificates, key, authorities }) => (
                Some((text(certificates)?, text(key)?)),
                authorities.as_ref().map(|path| text(path).ok_or(())).transpose().ok()?,
            ),
        };
        Some(Self {
            address: request.address.clone(),
            ae_title: request.ae_title.clone(),
            allow: request.allow.clone(),
            any_ae: request.any_ae,
            tls,
            authorities,
        })
    }

    fn request(&self) -> PacsListen {
        let authorities = self.authorities.as_ref().map(PathBuf::from);
        let tls = self.tls.as_ref();
        PacsListen {
            address: self.address.clone(),
            ae_title: self.ae_title.clone(),
            allow: self.allow.clone(),
            any_ae: self.any_ae,
            tls: tls.map(|(certificates, key)| PacsTls {
                certificates: certificates.into(),
                key: key.into(),
                authorities,
            }),
            ..PacsListen::default()
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

impl Node {
    /// Keeps how it listens for neighbours. That it cannot be kept is no reason not to listen.
    pub async fn remember_listener(&mut self, request: &PacsListen) {
        let Ok(mut settings) = self.me().map(|open| open.settings.clone()) else { return };
        if !settings.remember(request) {
            return;
        }
        let mut batch = Batch::new();
        settings.put(&mut batch);
        match self.commit(batch).await.and_then(|()| self.me_mut()) {
            Ok(open) => open.settings = settings,
            Err(failure) => tracing::warn!(what = failure.what, "how it listens was not kept"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_listener_is_remembered_as_it_was_asked_for_unless_its_row_could_not_be_read_again() {
        let tls = PacsTls { certificates: "/c.pem".into(), key: "/k.pem".into(), authorities: Some("/a.pem".into()) };
        let request = PacsListen {
            address: "0.0.0.0:104".into(),
            ae_title: "OVERREAD".into(),
            allow: vec!["PACS1".into(), "CT 2".into()],
            tls: Some(tls),
            ..PacsListen::default()
        };
        let mut settings = Settings { recovery_confirmed: true, ..Settings::default() };
        assert!(settings.remember(&PacsListen { remember: true, ..request.clone() }));
        let row = to_bytes(&settings);
        let read = from_bytes::<Settings>(&row, SETTINGS_BYTES_MAX).unwrap();
        assert_eq!(read.view().listen, Some(request.clone()));
        assert!(!settings.remember(&request), "it stands there already");
        let long = PacsListen { allow: vec!["A".repeat(16); SETTINGS_BYTES_MAX / 16], ..request.clone() };
        assert!(!settings.remember(&long) && settings.recovery_confirmed);
        assert_eq!(settings.view().listen, Some(request));
    }

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
        let expected =
            SettingsView { retention_days: 7, graphics: "auto".into(), lock_after_seconds: Some(900), listen: None };
        assert_eq!(view, expected);
    }

    #[test]
    fn an_unknown_setting_changes_nothing() {
        let mut settings = Settings::default();
        assert!(settings.set("retain", "3").is_err());
        assert_eq!(settings, Settings::default());
    }
}
