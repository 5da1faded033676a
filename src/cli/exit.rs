//! Exit codes of answers; those of failures stand with [`crate::node::api::FailureCode`] (design 8).

use crate::node::api::{ImportReport, Reply};

/// Something is wrong with what was looked at, though looking at it worked.
const FAULTY: u8 = 1;
/// A colleague said other words than hers.
const UNTRUSTED: u8 = 5;
/// A DICOM object was left behind.
const PARTLY: u8 = 6;
/// Not reached in time; safe to repeat.
const NOT_REACHED: u8 = 7;

/// The exit code of a command that ends with this answer.
pub(super) fn code(reply: &Reply) -> u8 {
    let is_good = match reply {
        Reply::Imported(report) => return imported(report),
        Reply::Verified { verified, .. } => return if *verified { 0 } else { UNTRUSTED },
        Reply::Fetched { complete, .. } => return if *complete { 0 } else { NOT_REACHED },
        Reply::Synced { peers, .. } => {
            let reached_nobody = !peers.is_empty() && peers.iter().all(|peer| !peer.connected);
            return if reached_nobody { NOT_REACHED } else { 0 };
        }
        Reply::VerifyReport { ok, .. } => *ok,
        Reply::Doctor { checks } => checks.iter().all(|check| check.ok),
        Reply::CardsAdded { refused, .. } => refused.is_empty(),
        Reply::Unpacked { problems, .. } => problems.is_empty(),
        Reply::Bundle(bundle) => bundle.problems.is_empty(),
        _ => true,
    };
    if is_good { 0 } else { FAULTY }
}

/// Files that are no DICOM are only listed; a DICOM object that stays behind makes the import a partial one.
pub(super) fn imported(report: &ImportReport) -> u8 {
    if report.left_behind() { PARTLY } else { 0 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::node::api::{Check, FailureCode, ImportedStudy, LeftOut, PeerView, SkippedFile};

    fn check(ok: bool) -> Reply {
        Reply::Doctor { checks: vec![Check { name: "clock".into(), ok, what: String::new(), hint: None }] }
    }

    fn fetched(complete: bool) -> Reply {
        Reply::Fetched { case: String::new(), chunks_have: 0, chunks_total: 1, bytes: 0, seconds: 0.0, complete }
    }

    fn synced(connected: &[bool]) -> Reply {
        let peer = |connected: &bool| PeerView {
            name: String::new(),
            identity: String::new(),
            device: String::new(),
            connected: *connected,
            path: None,
            address: None,
        };
        Reply::Synced { peers: connected.iter().map(peer).collect(), delivery: Vec::new() }
    }

    fn imported(left_out: usize, skipped: &[&str]) -> Reply {
        let left = LeftOut { series: String::new(), instances: 1, why: "burned-in text".into() };
        let study = ImportedStudy { left_out: vec![left; left_out], ..ImportedStudy::default() };
        let file = |why: &&str| SkippedFile { path: "file".into(), why: (*why).into() };
        let skipped = skipped.iter().map(file).collect();
        Reply::Imported(ImportReport { studies: vec![study], skipped, ..ImportReport::default() })
    }

    fn verified(verified: bool) -> Reply {
        Reply::Verified { who: String::new(), verified, wrong_word: None }
    }

    fn verify_report(ok: bool) -> Reply {
        Reply::VerifyReport { ok, entries: 0, chunks: 0, problems: Vec::new(), state_hash: None }
    }

    #[test]
    fn answers_end_with_the_codes_of_the_design() {
        let table = [
            (Reply::Nothing {}, 0),
            (imported(0, &["not a DICOM file", "the file is empty", "not a regular file"]), 0),
            (imported(1, &[]), 6),
            (imported(0, &["the file is cut off: it should have at least 9 bytes and has 3"]), 6),
            (imported(0, &["no permission to read it"]), 6),
            (check(true), 0),
            (check(false), 1),
            (fetched(true), 0),
            (fetched(false), 7),
            (synced(&[]), 0),
            (synced(&[false, true]), 0),
            (synced(&[false]), 7),
            (verified(true), 0),
            (verified(false), 5),
            (verify_report(true), 0),
            (verify_report(false), 1),
        ];
        for (reply, expected) in table {
            assert_eq!(code(&reply), expected, "{reply:?}");
        }
    }

    #[test]
    fn failures_end_with_the_codes_of_the_design() {
        use FailureCode::*;
        let table = [
            (Failed, 1),
            (InUse, 1),
            (DiskFull, 1),
            (Damaged, 1),
            (WrongUse, 2),
            (Ambiguous, 2),
            (WrongPassphrase, 3),
            (TooSoon, 3),
            (Locked, 3),
            (NotFound, 4),
            (NotAMember, 5),
            (Untrusted, 5),
            (Role, 5),
            (TextCheck, 5),
            (OtherPatient, 5),
            (Unsafe, 5),
            (Partly, 6),
            (NotReached, 7),
            (Interrupted, 130),
        ];
        for (failure, expected) in table {
            assert_eq!(failure.exit_code(), expected, "{failure:?}");
        }
    }
}
