//! The colleagues on the screen.

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Borders, Cell, Padding, Paragraph, Row, Table};

use super::{BESIDE_WIDTH_MIN, Colleagues, called};
use crate::encoding::text::shown;
use crate::node::api::CardView;
use crate::ui::look::Look;
use crate::ui::widget::wrap::wrapped;

/// Characters of an id that are shown: the letter, the dash and eight.
const ID_SHOWN: usize = 10;

pub(super) fn colleagues(screen: &Colleagues, frame: &mut Frame<'_>, area: Rect, look: Look) {
    let Some(cards) = &screen.cards else {
        frame.render_widget(Paragraph::new(Line::styled(" reading the cards …", look.dim())), area);
        return;
    };
    if cards.is_empty() {
        nobody(frame, area, look);
        return;
    }
    let [list, card] = Colleagues::parts(area);
    let widths = [Constraint::Fill(3), Constraint::Fill(3), Constraint::Length(11), Constraint::Length(13)];
    let title = Rect { height: 1.min(list.height), ..list };
    frame.render_widget(
        Table::new([Row::new([" name", "site", "trust", "connection"])], widths).style(look.dim()),
        title,
    );
    let lines = Colleagues::lines(area);
    let height = usize::from(lines.height);
    let first = screen.chosen.first_seen(height);
    let rows = cards.iter().enumerate().skip(first).take(height).map(|(number, card)| {
        // Reversed colours are hard to read; the chosen one's stand beside its card.
        let (style, look) = match number == screen.chosen.at {
            true => (look.chosen(), Look { colour: false }),
            false => (look.plain(), look),
        };
        let (connection, connected) = connection(screen, card, look);
        Row::new([
            Cell::new(format!(" {}", called(card))),
            Cell::new(shown(&card.site).into_owned()),
            Cell::new(Span::styled(trust_word(&card.trust), look.trust(&card.trust))),
            Cell::new(Span::styled(connection, connected)),
        ])
        .style(style)
    });
    frame.render_widget(Table::new(rows, widths), lines);
    let beside = area.width >= BESIDE_WIDTH_MIN;
    let block = Block::new()
        .borders(if beside { Borders::LEFT } else { Borders::TOP })
        .border_style(look.dim())
        .padding(Padding::horizontal(1));
    let inside = block.inner(card);
    frame.render_widget(block, card);
    if let Some(chosen) = screen.chosen_card() {
        let [inside, keys] = Layout::vertical([Constraint::Min(0), Constraint::Length(1)]).areas(inside);
        frame.render_widget(Paragraph::new(what_can_be_done(chosen, look)), keys);
        frame.render_widget(Paragraph::new(detail(screen, chosen, inside.width, look)), inside);
    }
}

/// The keys for the chosen colleague that are no hints.
fn what_can_be_done(card: &CardView, look: Look) -> Line<'static> {
    let block = if card.trust == "blocked" { "end the block" } else { "block" };
    let keys = [("n", "name"), ("b", block), ("Del", "remove")];
    let spans = keys
        .into_iter()
        .flat_map(|(key, words)| [Span::styled(format!("{key} "), look.key()), Span::raw(format!("{words}   "))]);
    Line::from_iter(spans)
}

fn connection(screen: &Colleagues, card: &CardView, look: Look) -> (&'static str, ratatui::style::Style) {
    match screen.is_connected(&card.identity) {
        _ if card.trust == "blocked" => ("", look.plain()),
        Some(true) => ("connected", look.good()),
        Some(false) if card.last_reached.is_none() => ("never reached", look.warn()),
        Some(false) => ("not connected", look.dim()),
        None => ("", look.plain()),
    }
}

fn trust_word(trust: &str) -> String {
    match trust {
        "verified" => "verified".into(),
        other => shown(other).to_uppercase(),
    }
}

/// What trust means for the person, and what to do next.
fn trust_words(trust: &str) -> &'static str {
    match trust {
        "verified" => "you compared words, or paired by phone",
        "unverified" => "call on a number you know, and compare words (v) before you send anything",
        "blocked" => "her devices are refused, and no key of a new case goes to her",
        "compromised" => "two cards carry the same number: somebody else signs as her. Call her, then v",
        _ => "",
    }
}

/// What is said of a colleague who was never connected, and what to do.
const NEVER_REACHED: &str = "never: does her program run? An address or a bundle helps";

/// Cells of a field's name.
const NAME_CELLS: usize = 12;

/// What is known of a colleague, in lines of at most so many cells.
fn detail(screen: &Colleagues, card: &CardView, cells: u16, look: Look) -> Vec<Line<'static>> {
    let room = usize::from(cells).saturating_sub(NAME_CELLS);
    let mut lines = vec![Line::styled(called(card), look.heading())];
    let trust = trust_word(&card.trust);
    for (number, words) in wrapped(trust_words(&card.trust), room).into_iter().enumerate() {
        let name = if number == 0 { trust.as_str() } else { "" };
        lines.push(Line::from(vec![
            Span::styled(format!("{name:<NAME_CELLS$}"), look.trust(&card.trust)),
            Span::raw(words),
        ]));
    }
    if card.expired {
        let words = "ask for a new card before you invite";
        lines.push(Line::from(vec![Span::styled(format!("{:<NAME_CELLS$}", "EXPIRED"), look.bad()), Span::raw(words)]));
    }
    let mut field = |name: &str, value: &str| {
        for (number, part) in wrapped(&shown(value), room).into_iter().enumerate() {
            let name = if number == 0 { name } else { "" };
            lines.push(Line::from(vec![Span::styled(format!("{name:<NAME_CELLS$}"), look.dim()), Span::raw(part)]));
        }
    };
    if card.alias.is_some() {
        field("on her card", &card.name);
    }
    field("site", &card.site);
    field("phone", card.phone.as_deref().unwrap_or_default());
    field("fingerprint", &card.fingerprint);
    field("id", &short(&card.identity));
    if card.trust != "blocked" {
        field("reached", &card.last_reached.as_deref().map_or_else(|| NEVER_REACHED.into(), day));
    }
    field("valid until", &day(card.expires.as_deref().unwrap_or_default()));
    for device in &card.devices {
        lines.extend(device_lines(screen, card, device, room, look));
    }
    lines.extend(addresses(&card.addresses, look));
    lines
}

/// A device, and over which way it is connected.
fn device_lines(screen: &Colleagues, card: &CardView, device: &str, room: usize, look: Look) -> Vec<Line<'static>> {
    let mut spans = vec![Span::styled(format!("{:<NAME_CELLS$}", "device"), look.dim()), Span::raw(short(device))];
    let peer = screen.peers.iter().flatten().find(|peer| peer.device == device && card.trust != "blocked");
    let mut ways = Vec::new();
    match peer {
        Some(peer) if peer.connected => {
            spans.push(Span::styled("  connected", look.good()));
            let way = [peer.path.as_deref(), peer.address.as_deref()].map(Option::unwrap_or_default).join(" ");
            let way = wrapped(&shown(&way), room).into_iter();
            ways.extend(way.map(|part| Line::raw(format!("{:NAME_CELLS$}{part}", ""))));
        }
        Some(_) => spans.push(Span::styled("  not connected", look.dim())),
        None => {}
    }
    std::iter::once(Line::from(spans)).chain(ways).collect()
}

/// Addresses, the word before the first only.
pub(super) fn addresses(addresses: &[String], look: Look) -> Vec<Line<'static>> {
    let line = |(number, address): (usize, &String)| {
        let name = if number == 0 { "addresses" } else { "" };
        let name = Span::styled(format!("{name:<NAME_CELLS$}"), look.dim());
        Line::from(vec![name, Span::raw(shown(address).into_owned())])
    };
    addresses.iter().enumerate().map(line).collect()
}

/// An id as people compare it.
pub(super) fn short(id: &str) -> String {
    shown(id).chars().take(ID_SHOWN).collect()
}

/// The day of a point in time.
pub(super) fn day(time: &str) -> String {
    shown(time).chars().take(10).collect()
}

/// What to do while there is nobody.
fn nobody(frame: &mut Frame<'_>, area: Rect, look: Look) {
    let mut lines = vec![Line::raw(""), Line::styled("  No colleague yet.", look.heading()), Line::raw("")];
    let mut way = |key: &'static str, words: &'static str| {
        lines.push(Line::from(vec![Span::styled(format!("  {key:>3}  "), look.key()), Span::raw(words)]));
    };
    way("p", "you are on the phone with a colleague: read a code to her");
    way("t", "a colleague reads a code to you: type it");
    way("a", "take in a card that came by mail or on a stick");
    way("e", "write your own card to a file, to be sent by any way");
    way("m", "your own card");
    frame.render_widget(Paragraph::new(lines), area);
}
