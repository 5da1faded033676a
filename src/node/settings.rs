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
}

impl Default for Settings {
    fn default() -> Self {
        Self { recovery_confirmed: false, retention_days: 30 }
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
            _ => {
                return Err(Failure::new(FailureCode::WrongUse, format!("There is no setting {name:?}."))
                    .hint("There is: retention."));
            }
        }
        Ok(())
    }

    fn view(&self) -> SettingsView {
        SettingsView { retention_days: self.retention_days }
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
    fn an_unknown_setting_changes_nothing() {
        let mut settings = Settings::default();
        assert!(settings.set("retain", "3").is_err());
        assert_eq!(settings, Settings::default());
    }
}
