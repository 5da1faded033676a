//! The marks of a case as the pictures show them: in their authors' colours, with what they measure.

use std::collections::BTreeMap;

use super::super::keys::Tool;
use super::super::picture::PictureKey;
use crate::case::content::{Measured, Point, Shape};
use crate::encoding::text::shown;
use crate::node::api::{CaseView, MarkView, PencilView};
use crate::view::marks::{Drawn, label_text, member_ink};

/// The kind of mark that says that its image is worth looking at, as the command line calls it.
pub const KEY_IMAGE: &str = "key-image";

/// The number of a member, which decides the colour of her name and her marks; who is none has one of her own.
pub fn member_number(case: &CaseView, identity: &str) -> usize {
    case.members.iter().position(|member| member.identity == identity).unwrap_or(case.members.len())
}

/// A mark of the case.
#[derive(Debug, Clone, PartialEq)]
pub struct CaseMark {
    pub id: String,
    pub author: String,
    pub author_identity: String,
    /// Whether this person made it, and may delete it.
    pub mine: bool,
    pub sop_instance_uid: String,
    pub frame: u32,
    pub shape: Shape,
    pub points: Vec<Point>,
    /// Its label and what it measures.
    pub words: String,
    pub ink: u8,
}

impl CaseMark {
    /// The marks of a case; a kind that this program does not draw is listed in the panel only.
    pub fn of(case: &CaseView) -> Vec<Self> {
        let me = case.members.iter().find(|member| member.me).map(|member| member.identity.as_str());
        case.marks.iter().filter_map(|mark| Self::one(case, mark, me)).collect()
    }

    /// What colleagues draw just now, with their names.
    pub fn pencils(case: &CaseView, pencils: &[PencilView]) -> Vec<Self> {
        let drawn = pencils.iter().filter_map(|pencil| {
            let tool = Tool::ALL.into_iter().find(|tool| tool.word() == pencil.kind)?;
            let number = case.members.iter().position(|member| member.identity == pencil.identity)?;
            let author = shown(&pencil.author).into_owned();
            Some(Self {
                id: pencil.device.clone(),
                author_identity: pencil.identity.clone(),
                mine: false,
                sop_instance_uid: pencil.image.clone(),
                frame: pencil.frame,
                shape: tool.shape(),
                points: pencil.points.iter().map(|&(column, row)| Point { column, row }).collect(),
                words: format!("{author} draws"),
                ink: member_ink(number),
                author,
            })
        });
        drawn.collect()
    }

    fn one(case: &CaseView, mark: &MarkView, me: Option<&str>) -> Option<Self> {
        let drawn = Tool::ALL.into_iter().find(|tool| tool.word() == mark.kind).map(Tool::shape);
        let shape = drawn.or_else(|| (mark.kind == KEY_IMAGE).then_some(Shape::KeyImage))?;
        let measured = mark.value.map(|value| Measured {
            value,
            unit: mark.unit.clone().unwrap_or_default(),
            basis: mark.basis.clone().unwrap_or_default(),
        });
        Some(Self {
            id: mark.id.clone(),
            author: shown(&mark.author).into_owned(),
            mine: me == Some(mark.author_identity.as_str()),
            author_identity: mark.author_identity.clone(),
            sop_instance_uid: mark.image.clone(),
            frame: mark.frame,
            shape,
            points: mark.points.iter().map(|&(column, row)| Point { column, row }).collect(),
            words: label_text(mark.label.as_deref(), measured.as_ref()),
            ink: member_ink(member_number(case, &mark.author_identity)),
        })
    }

    /// Whether it says that its image is worth looking at, and nothing else.
    pub fn is_key_image(&self) -> bool {
        self.shape == Shape::KeyImage
    }

    pub fn is_on(&self, key: &PictureKey) -> bool {
        *self.sop_instance_uid == *key.sop_instance_uid && self.frame == key.frame
    }

    /// As it is drawn; the chosen one stands out, and has its author's name.
    pub fn drawn<'a>(&'a self, is_chosen: bool, named: &'a str) -> Drawn<'a> {
        Drawn {
            shape: self.shape,
            points: &self.points,
            ink: self.ink,
            is_draft: false,
            is_active: is_chosen,
            width_px: if is_chosen { 3 } else { 1 },
            text: if is_chosen { named } else { &self.words },
        }
    }
}

/// Which marks are not shown.
#[derive(Debug, Default)]
pub struct Hidden {
    all: bool,
    /// Names of authors by their identities.
    authors: BTreeMap<String, String>,
}

impl Hidden {
    pub fn hides(&self, mark: &CaseMark) -> bool {
        self.all || self.authors.contains_key(&mark.author_identity)
    }

    /// Shows all marks if any are hidden, else hides all.
    pub fn turn_all(&mut self) {
        self.all = !self.all && self.authors.is_empty();
        self.authors.clear();
    }

    /// Hides all marks of a mark's author, or shows them again; whether they are hidden now.
    pub fn turn(&mut self, mark: &CaseMark) -> bool {
        let was_hidden = self.authors.remove(&mark.author_identity).is_some();
        if !was_hidden {
            self.authors.insert(mark.author_identity.clone(), mark.author.clone());
        }
        !was_hidden
    }

    /// What is hidden, in words.
    pub fn words(&self) -> Option<String> {
        match (self.all, self.authors.is_empty()) {
            (true, _) => Some("marks hidden".into()),
            (false, false) => {
                let authors: Vec<&str> = self.authors.values().map(String::as_str).collect();
                Some(format!("marks of {} hidden", authors.join(", ")))
            }
            (false, true) => None,
        }
    }
}
