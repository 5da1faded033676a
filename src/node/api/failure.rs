//! Why a request was not carried out, what to do next, and with which exit code a command ends.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// A request that was not carried out: nothing was changed unless it says so.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    pub code: FailureCode,
    /// What happened.
    pub what: String,
    /// What to do next.
    pub hint: Option<String>,
    /// More to show: text-check hits, candidates of an ambiguous id.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub details: BTreeMap<String, Vec<String>>,
    /// After so many seconds the same may be tried again, and not before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wait_seconds: Option<u64>,
}

/// Why a request was not carried out; each has its exit code (design 8).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FailureCode {
    Failed,
    /// Another program is the node of the home, and does not answer.
    InUse,
    WrongUse,
    Ambiguous,
    WrongPassphrase,
    /// A wrong passphrase was typed shortly before; nothing was tried.
    TooSoon,
    Locked,
    NotFound,
    NotAMember,
    Untrusted,
    Role,
    TextCheck,
    OtherPatient,
    Unsafe,
    Partly,
    NotReached,
    DiskFull,
    Damaged,
    Interrupted,
}

impl FailureCode {
    /// The exit code of a command that ends so.
    pub fn exit_code(self) -> u8 {
        match self {
            Self::Failed | Self::InUse | Self::DiskFull | Self::Damaged => 1,
            Self::WrongUse | Self::Ambiguous => 2,
            Self::WrongPassphrase | Self::TooSoon | Self::Locked => 3,
            Self::NotFound => 4,
            Self::NotAMember | Self::Untrusted | Self::Role | Self::TextCheck | Self::OtherPatient | Self::Unsafe => 5,
            Self::Partly => 6,
            Self::NotReached => 7,
            Self::Interrupted => 130,
        }
    }
}

impl Failure {
    pub fn new(code: FailureCode, what: impl Into<String>) -> Self {
        Self { code, what: what.into(), hint: None, details: BTreeMap::new(), wait_seconds: None }
    }

    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    pub fn wait(mut self, seconds: u64) -> Self {
        self.wait_seconds = Some(seconds);
        self
    }

    pub fn detail(mut self, name: &str, lines: Vec<String>) -> Self {
        self.details.insert(name.into(), lines);
        self
    }
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.hint {
            Some(hint) => write!(f, "{}\n{hint}", self.what),
            None => f.write_str(&self.what),
        }
    }
}

impl std::error::Error for Failure {}
