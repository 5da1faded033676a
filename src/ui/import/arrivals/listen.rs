//! Listening for neighbours: who may send, and under which name and port this program is reached.
//!
//! The listener belongs to the app once it listens: the form closes, the request stays until the app ends or somebody
//! asks the node to stop.

use std::path::PathBuf;

use crossterm::event::KeyEvent;
use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::text::Line;
use ratatui::widgets::{Paragraph, Wrap};

use crate::node::api::{Event, FailureCode, PacsListen, PacsTls, Reply, Request};
use crate::ui::keys::{Action, Place};
use crate::ui::look::Look;
use crate::ui::message::{Ticket, Wish};
use crate::ui::screen::{Context, Dots, Go, Outcome, Screen, in_one_line};
use crate::ui::widget::field::Field;
use crate::ui::widget::form::Form;
use crate::ui::widget::popup::{self, Question};

const ALLOW: usize = 0;
const PORT: usize = 1;
const AE_TITLE: usize = 2;
const CERTIFICATES: usize = 3;
const KEY: usize = 4;
const AUTHORITIES: usize = 5;

/// Stands for every AE title.
const ANYONE: &str = "*";

/// Cells of the labels.
const LABEL_CELLS: u16 = 27;

/// The port that IANA names for DICOM besides 104, which is the system's, and what neighbours call this program.
const PORT_USUAL: &str = "11112";
const AE_TITLE_USUAL: &str = "OVERREAD";

/// The form.
pub(super) struct ListenForm {
    form: Form,
    /// Nothing was typed yet, so that what is remembered may still fill the fields.
    untouched: bool,
    reading: Option<Ticket>,
    asked: Option<Ticket>,
}

impl Default for ListenForm {
    fn default() -> Self {
        let mut form = Form::new(vec![
            Field::new("May send, by AE title", "PACS1, CT2; or * for anyone"),
            Field::new("Port", PORT_USUAL),
            Field::new("AE title of this program", AE_TITLE_USUAL),
            Field::new("TLS certificate, PEM file", "none: not encrypted"),
            Field::new("its private key, PEM file", ""),
            Field::new("authorities of the senders", "none: no sender proves who it is"),
        ]);
        form.set(PORT, PORT_USUAL);
        form.set(AE_TITLE, AE_TITLE_USUAL);
        Self { form, untouched: true, reading: None, asked: None }
    }
}

impl ListenForm {
    /// Fills in how it listened last.
    fn fill(&mut self, listen: &PacsListen) {
        let allow = if listen.any_ae { ANYONE.to_owned() } else { listen.allow.join(", ") };
        self.form.set(ALLOW, &allow);
        if let Some((_, port)) = listen.address.rsplit_once(':') {
            self.form.set(PORT, port);
        }
        self.form.set(AE_TITLE, &listen.ae_title);
        if let Some(tls) = &listen.tls {
            self.form.set(CERTIFICATES, &tls.certificates.to_string_lossy());
            self.form.set(KEY, &tls.key.to_string_lossy());
            let authorities = tls.authorities.as_ref().map(|path| path.to_string_lossy());
            self.form.set(AUTHORITIES, authorities.as_deref().unwrap_or_default());
        }
    }

    /// What is asked of the node, or the field that is to be changed and why.
    fn request(&self) -> Result<PacsListen, (usize, &'static str)> {
        let path = |field: usize| Some(self.form.text(field)).filter(|text| !text.is_empty()).map(PathBuf::from);
        let any_ae = self.form.text(ALLOW) == ANYONE;
        let titles = self.form.text(ALLOW).split(',').map(str::trim).filter(|title| !title.is_empty());
        let allow: Vec<String> = titles.filter(|_| !any_ae).map(str::to_owned).collect();
        if !any_ae && allow.is_empty() {
            return Err((ALLOW, "Name the AE titles that may send, as PACS1, CT2; or write * for anyone."));
        }
        let port = self.form.text(PORT).parse::<u16>().ok().filter(|port| *port > 0);
        let port = port.ok_or((PORT, "A port is a number from 1 to 65535; 11112 is usual."))?;
        let tls = match (path(CERTIFICATES), path(KEY), path(AUTHORITIES)) {
            (Some(certificates), Some(key), authorities) => Some(PacsTls { certificates, key, authorities }),
            (None, None, None) => None,
            (Some(_), None, _) => return Err((KEY, "The certificate needs its private key.")),
            (None, ..) => return Err((CERTIFICATES, "TLS needs a certificate, and its private key.")),
        };
        Ok(PacsListen {
            address: format!("0.0.0.0:{port}"),
            ae_title: self.form.text(AE_TITLE).to_owned(),
            allow,
            any_ae,
            tls,
            remember: true,
            ..PacsListen::default()
        })
    }

    fn submit(&mut self, is_agreed: bool, context: &mut Context<'_>) {
        if self.asked.is_some() {
            return;
        }
        match self.request() {
            Err((field, why)) => self.form.refuse(field, why),
            // Who asks senders for a certificate has named them so.
            Ok(request) if request.any_ae && !is_agreed && !has_authorities(&request) => {
                let lines = vec![
                    "Whoever reaches this port could send studies here, under any name and of any patient.".into(),
                    String::new(),
                    "Better name the AE titles, or let TLS ask senders for a certificate.".into(),
                ];
                let title = "Take studies from anyone?".into();
                context.confirm(Question { title, lines }, Action::ListenToAnyone);
            }
            Ok(request) => self.asked = Some(context.ask(Request::PacsListen(request))),
        }
    }
}

fn has_authorities(request: &PacsListen) -> bool {
    request.tls.as_ref().is_some_and(|tls| tls.authorities.is_some())
}

impl Screen for ListenForm {
    fn place(&self) -> Place {
        Place::Listen
    }

    fn title(&self) -> String {
        "import: listen for a PACS or a modality".into()
    }

    fn typing(&self) -> bool {
        true
    }

    fn shown(&mut self, context: &mut Context<'_>) {
        if self.reading.is_none() && self.untouched {
            self.reading = Some(context.ask(Request::SettingsShow));
        }
    }

    fn dropped(&mut self, context: &mut Context<'_>) {
        // It does not listen yet, and nobody would learn that it does.
        if let Some(ticket) = self.asked.take() {
            context.wish(Wish::Cancel { ticket });
        }
    }

    fn act(&mut self, action: Action, context: &mut Context<'_>) {
        match action {
            Action::Back => context.go(Go::Back),
            Action::Listen => self.submit(false, context),
            Action::ListenToAnyone => self.submit(true, context),
            action if self.asked.is_none() && self.form.act(action) => self.submit(false, context),
            _ => {}
        }
    }

    fn key(&mut self, key: KeyEvent, _context: &mut Context<'_>) {
        if self.asked.is_none() {
            self.untouched = false;
            self.form.key(key);
        }
    }

    fn paste(&mut self, text: &str, _context: &mut Context<'_>) {
        if self.asked.is_none() {
            self.untouched = false;
            self.form.paste(text);
        }
    }

    fn on_the_way(&mut self, ticket: Ticket, event: &Event, context: &mut Context<'_>) {
        if self.asked == Some(ticket) && matches!(event, Event::PacsListening { .. }) {
            self.asked = None;
            context.say_good("Listening. It goes on until you end it, or Overread.");
            context.go(Go::Back);
        }
    }

    fn answered(&mut self, ticket: Ticket, outcome: &Outcome, _context: &mut Context<'_>) {
        if self.reading == Some(ticket) {
            self.reading = None;
            if let (Ok(Reply::Settings(settings)), true) = (outcome.as_deref(), self.untouched)
                && let Some(listen) = &settings.listen
            {
                self.fill(listen);
            }
        } else if self.asked == Some(ticket) {
            self.asked = None;
            if let Err(failure) = outcome {
                // What the node refuses is named in its words; the port is what most often is taken.
                let at = if failure.code == FailureCode::Failed { PORT } else { self.form.active() };
                self.form.refuse(at, in_one_line(failure));
            }
        }
    }

    fn draw(&self, frame: &mut Frame<'_>, area: Rect, _dots: Dots, look: Look) {
        let height = self.form.rows().saturating_add(12);
        let place = popup::middle(area, area.width.min(86), height);
        let inside = popup::open(frame, place, "Listen for a PACS or a modality", look);
        let [head, fields, _, foot] = Layout::vertical([
            Constraint::Length(if inside.height < self.form.rows() + 9 { 4 } else { 5 }),
            Constraint::Length(self.form.rows()),
            Constraint::Length(1),
            Constraint::Min(0),
        ])
        .areas(inside);
        let intro = "Whoever may send pushes studies to this machine, which are listed here to be taken in. An AE title \
                     is a name and no proof: only TLS with authorities knows who sends. What is entered at the sender \
                     is shown once it listens.";
        frame.render_widget(Paragraph::new(Line::styled(intro, look.dim())).wrap(Wrap { trim: true }), head);
        self.form.draw_rows(frame, fields, LABEL_CELLS, self.asked.is_none(), look);
        self.form.draw_wrong(frame, foot, self.asked.map(|_| "beginning to listen …"), look);
    }
}
