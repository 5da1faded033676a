//! Identities, cards, safety words.

use crate::encoding::text::shown;
use crate::node::api::{CardView, Initialised, SkippedFile, Status};

use super::layout::{Table, count, field, section, short};

/// Fields here are short, and an id must not break.
const UNBROKEN: usize = usize::MAX;

pub(super) fn initialised(initialised: &Initialised) -> String {
    let mut text = String::from("Your identity is made, and lives in the vault on this machine.\n\n");
    text += &field("identity", &initialised.identity, UNBROKEN);
    text += &field("device", &initialised.device, UNBROKEN);
    text += &field("fingerprint", &initialised.fingerprint, UNBROKEN);
    text += "\nOverread is for consultation, never for primary diagnosis.\n";
    text += "Next: `overread vault recovery-code` shows 24 words; on paper they restore your identity.\n";
    text
}

pub(super) fn status(status: &Status) -> String {
    if !status.initialised {
        return "There is no identity here yet. Next: `overread init --name NAME --site SITE`.\n".into();
    }
    let mut text = String::new();
    text += &field("name", status.name.as_deref().unwrap_or_default(), UNBROKEN);
    text += &field("site", status.site.as_deref().unwrap_or_default(), UNBROKEN);
    text += &field("identity", status.identity.as_deref().unwrap_or_default(), UNBROKEN);
    text += &field("vault", if status.locked { "locked" } else { "open" }, UNBROKEN);
    text += &field("node", if status.running { "running" } else { "not running" }, UNBROKEN);
    text
}

pub(super) fn recovery_code(words: &[String]) -> String {
    const ROWS: usize = 6;
    let mut text =
        String::from("Write these words on paper, in order, and keep the paper where you keep your diploma.\n");
    text += "Who has them is you; without them a lost machine is a lost identity.\n\n";
    for row in 0..ROWS.min(words.len()) {
        let line: Vec<String> = words
            .iter()
            .enumerate()
            .skip(row)
            .step_by(ROWS)
            .map(|(n, word)| format!("{:>2} {:<10}", n + 1, shown(word)))
            .collect();
        text += &format!("  {}\n", line.join("  ").trim_end());
    }
    text
}

pub(super) fn card(card: &CardView) -> String {
    let mut text = field("name", &card.name, UNBROKEN);
    text += &field("known here as", card.alias.as_deref().unwrap_or_default(), UNBROKEN);
    text += &field("site", &card.site, UNBROKEN);
    text += &field("phone", card.phone.as_deref().unwrap_or_default(), UNBROKEN);
    text += &field("trust", trust(card), UNBROKEN);
    text += &field("fingerprint", &card.fingerprint, UNBROKEN);
    text += &field("identity", &card.identity, UNBROKEN);
    text += &field("devices", &card.devices.join("\n"), UNBROKEN);
    text += &field("addresses", &card.addresses.join("\n"), UNBROKEN);
    text += &field("card", &format!("number {}", card.serial), UNBROKEN);
    if let Some(expires) = &card.expires {
        let expired = if card.expired { " (expired: ask for a new card before you invite)" } else { "" };
        text += &field("expires", &format!("{expires}{expired}"), UNBROKEN);
    }
    text
}

fn trust(card: &CardView) -> &str {
    match card.trust.as_str() {
        "me" => "this is you",
        "unverified" => "unverified: compare words by phone with `overread card verify`",
        other => other,
    }
}

pub(super) fn cards(cards: &[CardView], width: usize) -> String {
    if cards.is_empty() {
        return "You hold no card yet. Next: `overread pair open`, or `overread card add FILE`.\n".into();
    }
    let mut table = Table::new(&["id", "name", "trust", "site"]);
    for card in cards {
        let name = card.alias.as_deref().unwrap_or(&card.name);
        table.row([&short(&card.identity), name, &card.trust, &card.site]);
    }
    table.text(width)
}

pub(super) fn cards_added(added: &[CardView], refused: &[SkippedFile], width: usize) -> String {
    let mut text = format!("{} added.\n", count(added.len(), "card"));
    if !added.is_empty() {
        text += &cards(added, width);
    }
    let lines: String = refused.iter().map(|file| format!("{}: {}\n", shown(&file.path), shown(&file.why))).collect();
    text + &section("Refused", &lines)
}

pub(super) fn safety_words(words: &[String], who: &str) -> String {
    let words: Vec<_> = words.iter().map(|word| shown(word)).collect();
    format!("Call {} on a number you know, and read your words aloud:\n\n    {}\n", shown(who), words.join(" "))
}

pub(super) fn verified(who: &str, verified: bool, wrong_word: Option<usize>) -> String {
    let who = shown(who);
    if verified {
        return format!("{who} is verified: the words were right.\n");
    }
    let place = wrong_word.map_or(String::new(), |n| format!(" (the first wrong one is word {n})"));
    format!(
        "{who} is not verified: those are other words{place}.\n\
         Ask for them once more; if they stay wrong, the card is not hers: `overread card block`.\n"
    )
}

pub(super) fn paired(colleague: &CardView) -> String {
    format!("{}, {} is now a {} colleague.\n", shown(&colleague.name), shown(&colleague.site), shown(&colleague.trust))
        + &field("fingerprint", &colleague.fingerprint, UNBROKEN)
}
