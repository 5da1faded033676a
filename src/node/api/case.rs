//! Cases as programs see them: lists, one case whole, its log.

use serde::{Deserialize, Serialize};

use super::answer::DeliveryView;
use super::live::HereView;
use super::study::PlanPatient;

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct CaseSummary {
    pub id: String,
    pub spoken: String,
    pub question: String,
    pub urgency: String,
    pub status: String,
    pub role: String,
    /// `invited` until opened, answered or fetched; then `accepted`.
    pub standing: String,
    pub due: Option<String>,
    pub members: usize,
    pub opinions: usize,
    pub messages: usize,
    pub chunks_have: u64,
    pub chunks_total: u64,
    pub not_sent: bool,
    /// The other members, the owner first; couriers are not named.
    #[serde(default)]
    pub people: Vec<String>,
    /// Opinions of others that nobody here has read.
    #[serde(default)]
    pub unread: usize,
    /// The real patient's name, at the sender only.
    #[serde(default)]
    pub patient: Option<String>,
    /// How many further patients it shows.
    #[serde(default)]
    pub other_patients: usize,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct CaseView {
    pub id: String,
    pub spoken: String,
    pub question: String,
    pub context: Option<String>,
    pub first_report: Option<String>,
    /// The entries that question, context and first report stand in.
    #[serde(default)]
    pub asked_by: Vec<String>,
    pub urgency: String,
    pub due: Option<String>,
    pub status: String,
    pub blind: bool,
    pub role: String,
    pub standing: String,
    pub members: Vec<MemberView>,
    /// Who else has the case open at this moment.
    #[serde(default)]
    pub here: Vec<HereView>,
    pub studies: Vec<CaseStudyView>,
    pub marks: Vec<MarkView>,
    pub opinions: Vec<OpinionView>,
    pub messages: Vec<MessageView>,
    pub criticals: Vec<CriticalView>,
    pub receipts: Vec<ReceiptView>,
    pub entries: usize,
    pub heads: Vec<String>,
    pub forks: Vec<ForkView>,
    pub unreadable: usize,
    pub unknown: usize,
    pub state_hash: Option<String>,
    /// Whose examination the question is about, at the sender only; of what was withdrawn nobody is named.
    pub patient: Option<PlanPatient>,
    /// Further patients, if the case shows studies of several.
    #[serde(default)]
    pub other_patients: Vec<PlanPatient>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct MemberView {
    pub name: String,
    pub identity: String,
    pub role: String,
    pub delivery: String,
    pub me: bool,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct CaseStudyView {
    pub id: String,
    /// `index` or `prior n`.
    pub role: String,
    pub modality: String,
    pub description: String,
    pub instances: u64,
    pub chunks_have: u64,
    pub chunks_total: u64,
    pub withdrawn: bool,
    pub deleted_by: Vec<String>,
    /// Members who read and have not said so, of a withdrawn study.
    #[serde(default)]
    pub still_held_by: Vec<String>,
    /// Days against the index examination of the same patient group, else `unknown`.
    pub relative_date: String,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct MarkView {
    pub id: String,
    pub kind: String,
    pub image: String,
    pub frame: u32,
    pub points: Vec<(f64, f64)>,
    pub value: Option<f64>,
    pub unit: Option<String>,
    pub basis: Option<String>,
    pub label: Option<String>,
    pub author: String,
    /// Two may have the same name.
    #[serde(default)]
    pub author_identity: String,
    pub time: String,
    pub late: bool,
    pub forked: bool,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct OpinionView {
    pub id: String,
    pub author: String,
    /// Two may have the same name.
    #[serde(default)]
    pub author_identity: String,
    /// `signed`, `late` or `forked`.
    pub state: String,
    pub agreement: String,
    pub confidence: Option<u32>,
    pub impression: String,
    pub findings: Option<String>,
    pub recommendation: Option<String>,
    pub basis: BasisView,
    pub addenda: Vec<AddendumView>,
    pub signed_before: Vec<String>,
    pub delivery: Vec<DeliveryView>,
    pub time: String,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct BasisView {
    pub question: String,
    pub heads: usize,
    pub incomplete: bool,
    /// What was missing or unknown, in words; stands first wherever the opinion is shown.
    pub limitations: Vec<String>,
    pub series: Vec<BasisSeriesView>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct BasisSeriesView {
    pub series_instance_uid: String,
    pub expected: u32,
    pub received: u32,
    pub displayed: Option<u32>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct AddendumView {
    pub text: String,
    pub time: String,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct MessageView {
    pub id: String,
    pub author: String,
    /// Two may have the same name.
    #[serde(default)]
    pub author_identity: String,
    pub text: String,
    pub time: String,
    pub late: bool,
    /// What its writer had on screen.
    #[serde(default)]
    pub view: Option<AttachedView>,
    /// What it answers.
    #[serde(default)]
    pub about: Option<AboutView>,
}

/// What a message answers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AboutView {
    /// `m-…`, `o-…`, or the id of the entry.
    pub id: String,
    /// `mark`, `opinion`, `message`, `critical finding`, or what else stands in the history.
    pub kind: String,
    /// `here`, `deleted` or `unknown`.
    pub state: String,
    pub author: Option<String>,
    /// What it is, such as `length 12 mm`.
    pub words: String,
    /// Where a mark stands.
    #[serde(default)]
    pub image: Option<String>,
    #[serde(default)]
    pub frame: Option<u32>,
}

impl AboutView {
    /// In words, with where it stands if that is known.
    pub fn sentence(&self, place: Option<&str>) -> String {
        let whose = self.author.as_ref().map_or_else(String::new, |author| format!("{author}'s "));
        match self.state.as_str() {
            "here" => {
                let place = place.map_or_else(String::new, |place| format!(" ({place})"));
                format!("about {whose}{}{place}", self.words)
            }
            "deleted" => format!("about {whose}mark, which was deleted"),
            _ => "about something that is not here: it has not arrived, or never was".into(),
        }
    }
}

/// What the writer of a message had on screen.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AttachedView {
    /// 1 to 3 each.
    pub rows: u32,
    pub columns: u32,
    /// The viewport she was in, from 0, row by row.
    pub active: u32,
    /// All of them, row by row; absent where one was empty.
    pub viewports: Vec<Option<AttachedImage>>,
}

/// One image, and how it was looked at.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AttachedImage {
    pub study: String,
    pub series_instance_uid: String,
    pub image: String,
    pub frame: u32,
    /// `default`, `auto`, `file:N`, a preset's name, or width/level.
    pub window: String,
    /// Clockwise, 0 to 3; then mirrored left to right.
    pub quarter_turns: u32,
    pub mirrored: bool,
    pub inverted: bool,
    /// Absent: as large as the viewport allows.
    #[serde(default)]
    pub part: Option<ShownPart>,
}

/// Which part of an image was shown.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct ShownPart {
    /// Along the shorter side of the viewport, in distances of two columns: `view::attached` makes it of a pose, and
    /// a pose of it.
    pub span: f64,
    /// Column and row in the middle of the viewport.
    pub centre: (f64, f64),
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct CriticalView {
    pub id: String,
    pub author: String,
    pub finding: String,
    pub called: Option<String>,
    pub at: Option<String>,
    pub taken_by: Option<String>,
    pub time: String,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ReceiptView {
    pub entry: String,
    pub opened: Vec<String>,
    pub read: Vec<String>,
    /// Identities of those who read it.
    #[serde(default)]
    pub read_by: Vec<String>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ForkView {
    pub device: String,
    pub person: String,
    pub entries: (String, String),
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct LogEntry {
    pub id: String,
    pub author: String,
    pub device: String,
    pub sequence: u64,
    pub time: String,
    pub what: String,
    pub outcome: String,
    pub flags: Vec<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_answered_is_said_in_words_also_when_it_is_not_there() {
        let about = |state: &str, author: Option<&str>| AboutView {
            id: "m-k3vq".into(),
            kind: "mark".into(),
            state: state.into(),
            author: author.map(str::to_owned),
            words: "length 12 mm".into(),
            image: None,
            frame: None,
        };
        let here = about("here", Some("Dr. Beck"));
        assert_eq!(here.sentence(Some("series 3, image 44")), "about Dr. Beck's length 12 mm (series 3, image 44)");
        assert_eq!(here.sentence(None), "about Dr. Beck's length 12 mm");
        assert_eq!(about("deleted", Some("Dr. Beck")).sentence(None), "about Dr. Beck's mark, which was deleted");
        assert_eq!(
            about("unknown", None).sentence(Some("image 4")),
            "about something that is not here: it has not arrived, or never was"
        );
    }
}
