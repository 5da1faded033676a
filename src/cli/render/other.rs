//! Sync, bundles, checks.

use crate::cli::progress::bytes;
use crate::encoding::text::shown;
use crate::node::api::{BundleView, Check, DeliveryView, PackedBundle, PeerView, SettingsView, TransferView};

use super::case::delivery as delivery_table;
use super::layout::{Table, count, field, items, section, short, wrap};

pub(super) fn synced(peers: &[PeerView], delivery: &[DeliveryView], width: usize) -> String {
    if peers.is_empty() {
        return "You have no colleague to sync with yet. Next: `overread pair open`.\n".into();
    }
    let mut table = Table::new(&["colleague", "device", "state", "way"]);
    for peer in peers {
        let state = if peer.connected { "connected" } else { "not reached" };
        let way: Vec<&str> = [peer.path.as_deref(), peer.address.as_deref()].into_iter().flatten().collect();
        table.row([&peer.name, &short(&peer.device), state, &way.join(" ")]);
    }
    let text = table.text(width) + &section("Delivery", &delivery_table(delivery, width));
    if peers.iter().any(|peer| peer.connected) {
        return text;
    }
    text + "\nNobody was reached; nothing is lost. Next: repeat it while a colleague's program runs, or leave\n\
            `overread node` running, which delivers as soon as it reaches somebody.\n"
}

pub(super) fn transfers(transfers: &[TransferView], width: usize) -> String {
    let mut table = Table::new(&["state", "way", "who", "case"]);
    for line in transfers {
        table.row([&line.state, &line.direction, &shown(&line.who), &line.spoken]);
    }
    if transfers.is_empty() { "Nothing is under way, and nothing waits.\n".into() } else { table.text(width) }
}

pub(super) fn fetched(chunks_have: u64, chunks_total: u64, size: u64, seconds: f64, complete: bool) -> String {
    let rate = if seconds > 0.0 && size > 0 {
        // The rate is for people: rounding a size above 2^53 bytes does not matter.
        #[expect(
            clippy::cast_precision_loss,
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "as above"
        )]
        let rate = (size as f64 / seconds) as u64;
        format!(" in {seconds:.1} s, {}/s", bytes(rate))
    } else {
        String::new()
    };
    let mut text = match size {
        0 if complete => format!("All {chunks_total} chunks are here.\n"),
        _ => format!("{chunks_have} of {chunks_total} chunks are here; {} fetched{rate}.\n", bytes(size)),
    };
    if !complete {
        text += "The rest was not reached in time: repeat the command, nothing is fetched twice.\n";
    }
    text
}

pub(super) fn packed(packed: &PackedBundle) -> String {
    let recipients: Vec<_> = packed.recipients.iter().map(|recipient| shown(recipient)).collect();
    let mut text = format!(
        "{} ({}): {} with {} entries and {} chunks of images, sealed for {}.\n",
        shown(&packed.path),
        bytes(packed.bytes),
        count(packed.cases.len(), "case"),
        packed.entries,
        packed.chunks,
        recipients.join(", ")
    );
    if packed.chunks_missing > 0 {
        text += &format!(
            "{} chunks are not here and could not be packed: `overread fetch CASE` gets them, then pack again.\n",
            packed.chunks_missing
        );
    }
    text + "Next, there: `overread bundle unpack FILE`.\n"
}

pub(super) fn bundle(bundle: &BundleView) -> String {
    let mut text = field("size", &bytes(bundle.bytes), usize::MAX);
    if !bundle.for_me {
        return text + &field("for you", "no: it is sealed for others", usize::MAX);
    }
    text += &field("for you", "yes", usize::MAX);
    text += &field("from", bundle.from.as_deref().unwrap_or("unknown: that part is damaged"), usize::MAX);
    if let Some(packed) = &bundle.packed {
        text += &field("packed", &format!("{packed}, by the sender's clock"), usize::MAX);
    }
    text += &field("cases", &bundle.cases.join("\n"), usize::MAX);
    text += &field("entries", &bundle.entries.to_string(), usize::MAX);
    text += &field("chunks", &bundle.chunks.to_string(), usize::MAX);
    text + &section("Problems", &items(&bundle.problems, usize::MAX))
}

pub(super) fn unpacked(spoken: &[String], entries_new: u64, chunks_new: u64, problems: &[String]) -> String {
    let mut text = match (entries_new, chunks_new) {
        (0, 0) => "Nothing in it is new.\n".to_owned(),
        _ => format!("Taken in: {entries_new} new entries and {chunks_new} new chunks of images.\n"),
    };
    for case in spoken {
        text += &format!("  \"{}\"\n", shown(case));
    }
    if let (Some(case), true) = (spoken.first(), entries_new > 0) {
        text += &format!("Next: `overread case show \"{}\"`.\n", shown(case));
    }
    text + &section("Problems", &items(problems, usize::MAX))
}

pub(super) fn verify_report(
    ok: bool,
    entries: u64,
    chunks: u64,
    problems: &[String],
    state_hash: Option<&str>,
) -> String {
    let mut text = if ok {
        format!("All is as it was signed: {entries} entries, {chunks} chunks.\n")
    } else {
        let found = count(problems.len(), "problem");
        format!("{found} found in {entries} entries and {chunks} chunks.\n")
    };
    text += &section("Problems", &items(problems, usize::MAX));
    text + &field("state", state_hash.unwrap_or_default(), usize::MAX)
}

pub(super) fn doctor(checks: &[Check], width: usize) -> String {
    let mut text = String::new();
    for check in checks {
        let mark = if check.ok { "ok" } else { "LOOK" };
        // A name that is longer than its column still keeps apart from what follows.
        text += &field(&format!("{mark:<5} {} ", shown(&check.name)), &check.what, width);
        if let Some(hint) = &check.hint {
            for line in wrap(hint, width.saturating_sub(16)) {
                text += &format!("{:16}{line}\n", "");
            }
        }
    }
    text
}

/// As it can be typed: `90s`, `15m`, `4h`.
fn duration(seconds: u64) -> String {
    match seconds {
        _ if seconds.is_multiple_of(3600) => format!("{}h", seconds / 3600),
        _ if seconds.is_multiple_of(60) => format!("{}m", seconds / 60),
        _ => format!("{seconds}s"),
    }
}

pub(super) fn settings(settings: &SettingsView) -> String {
    let days = usize::try_from(settings.retention_days).unwrap_or(usize::MAX);
    let lock_after = settings.lock_after_seconds.map_or_else(|| "never".into(), duration);
    field("retention", &format!("{} after closing", count(days, "day")), usize::MAX)
        + &field("graphics", &settings.graphics, usize::MAX)
        + &field("lock-after", &lock_after, usize::MAX)
}
