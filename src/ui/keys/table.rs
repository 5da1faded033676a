//! The tables: every key, the places it stands in, and its words.

use crossterm::event::KeyCode;

use super::action::{Action, Change, Tool};
use super::chord::Chord;
use super::place::Place;

/// One key of one place.
#[derive(Debug, Clone, Copy)]
pub struct Binding {
    pub chord: Chord,
    pub action: Action,
    /// What it does, in the imperative.
    pub words: &'static str,
    /// Whether it stands among the hints at the bottom.
    pub hint: bool,
}

/// The keys of a place, the most particular first.
pub fn bindings(place: Place) -> Vec<&'static Binding> {
    let groups: &[&'static [Binding]] = match place {
        Place::Everywhere => &[EVERYWHERE],
        Place::Held => &[HELD, EVERYWHERE],
        Place::OtherVersion => &[OTHER_VERSION, HELD, EVERYWHERE],
        Place::Welcome => &[WELCOME, FORM, EVERYWHERE],
        Place::Restore => &[BACK, FORM, EVERYWHERE],
        Place::Restored => &[RESTORED, BACK, EVERYWHERE],
        Place::Unlock => &[FORM, EVERYWHERE],
        Place::Worklist => &[WORKLIST, LIST, EVERYWHERE],
        Place::CaseNew => &[CASE_NEW, BACK, EVERYWHERE],
        Place::Import => &[IMPORT, BACK, LIST, EVERYWHERE],
        Place::ImportPath => &[IMPORT_PATH, BACK, EVERYWHERE],
        Place::Arrivals => &[ARRIVALS, BACK, LIST, EVERYWHERE],
        Place::Listen => &[LISTEN, BACK, FORM, EVERYWHERE],
        Place::ImportPlan => &[IMPORT_PLAN, BACK, LIST, EVERYWHERE],
        Place::ImportBusy => &[IMPORT_BUSY, EVERYWHERE],
        Place::ImportReport => &[IMPORT_REPORT, BACK, LIST, EVERYWHERE],
        Place::Picking => &[PICKING, BACK, LIST, EVERYWHERE],
        Place::Destination => &[DESTINATION, FOLDERS, BACK, LIST, EVERYWHERE],
        Place::Naming => &[NAMING, BACK, EVERYWHERE],
        Place::TypedPath => &[IMPORT_PATH, BACK, EVERYWHERE],
        Place::Busy => &[IMPORT_BUSY, EVERYWHERE],
        Place::BundlePack => &[BUNDLE_PACK, BACK, LIST, EVERYWHERE],
        Place::BundlePacked => &[BUNDLE_PACKED, BACK, LIST, EVERYWHERE],
        Place::BundleTake => &[BUNDLE_TAKE, FOLDERS, BACK, LIST, EVERYWHERE],
        Place::BundleHeld => &[BUNDLE_HELD, BACK, LIST, EVERYWHERE],
        Place::BundleTaken => &[BUNDLE_TAKEN, BACK, LIST, EVERYWHERE],
        Place::Studies => &[STUDIES, BACK, LIST, EVERYWHERE],
        Place::StudyExported => &[DONE, BACK, EVERYWHERE],
        Place::StudyReview => &[STUDY_REVIEW, BACK, LIST, EVERYWHERE],
        Place::StudyMask => &[STUDY_MASK, EVERYWHERE],
        Place::Opinion => &[OPINION, BACK, EVERYWHERE],
        Place::Reading => &[BACK, LIST, EVERYWHERE],
        Place::Case => &[CASE, VIEWER, TOOLS, BACK, EVERYWHERE],
        Place::Marking => &[MARKING, CURSOR, EVERYWHERE],
        Place::Pointing => &[POINTING, CURSOR, EVERYWHERE],
        Place::Colleagues => &[COLLEAGUES, BACK, LIST, EVERYWHERE],
        Place::Form => &[BACK, FORM, EVERYWHERE],
        Place::Pairing => &[PAIRING, EVERYWHERE],
        Place::PairingConfirm => &[PAIRING_CONFIRM, EVERYWHERE],
        Place::PairingEnded => &[PAIRING_ENDED, BACK, EVERYWHERE],
        Place::OwnCard => &[OWN_CARD, BACK, EVERYWHERE],
        Place::Recovery => &[RECOVERY, BACK, EVERYWHERE],
        Place::Settings => &[SETTINGS, BACK, LIST, EVERYWHERE],
        Place::Doctor => &[DOCTOR, BACK, LIST, EVERYWHERE],
        Place::Log => &[LOG, BACK, LIST, EVERYWHERE],
        Place::Verifying => &[VERIFYING, EVERYWHERE],
        Place::Verification => &[VERIFICATION, BACK, LIST, EVERYWHERE],
        Place::Transfers => &[TRANSFERS, BACK, LIST, EVERYWHERE],
    };
    groups.iter().flat_map(|group| group.iter()).collect()
}

const EVERYWHERE: &[Binding] = &[
    hint(Chord::plain(KeyCode::F(1)), Action::Help, "help"),
    bind(Chord::key('?'), Action::Help, "help"),
    hint(Chord::key(':'), Action::Palette, "all actions"),
    bind(Chord::control('p'), Action::Palette, "all actions"),
    bind(Chord::control('l'), Action::Lock, "lock"),
    bind(Chord::control('r'), Action::Redraw, "draw the screen anew"),
    bind(Chord::control('q'), Action::Quit, "quit"),
    bind(Chord::control('c'), Action::Quit, "quit"),
];

const HELD: &[Binding] = &[hint(Chord::key('q'), Action::Quit, "quit")];

const OTHER_VERSION: &[Binding] = &[hint(Chord::plain(KeyCode::Enter), Action::GoOn, "go on all the same")];

const LIST: &[Binding] = &[
    bind(Chord::plain(KeyCode::Up), Action::Up, "up"),
    bind(Chord::plain(KeyCode::Down), Action::Down, "down"),
    bind(Chord::key('k'), Action::Up, "up"),
    bind(Chord::key('j'), Action::Down, "down"),
    bind(Chord::plain(KeyCode::PageUp), Action::PageUp, "a page up"),
    bind(Chord::plain(KeyCode::PageDown), Action::PageDown, "a page down"),
    bind(Chord::plain(KeyCode::Home), Action::First, "to the first"),
    bind(Chord::plain(KeyCode::End), Action::Last, "to the last"),
];

const FORM: &[Binding] = &[
    hint(Chord::plain(KeyCode::Tab), Action::NextField, "next field"),
    bind(Chord::plain(KeyCode::Down), Action::NextField, "next field"),
    bind(Chord::shift(KeyCode::Tab), Action::PreviousField, "previous field"),
    bind(Chord::plain(KeyCode::Up), Action::PreviousField, "previous field"),
    hint(Chord::plain(KeyCode::Enter), Action::Submit, "go on"),
];

const WELCOME: &[Binding] = &[hint(Chord::control('o'), Action::RestoreIdentity, "I have a recovery code")];

const RESTORED: &[Binding] = &[hint(Chord::plain(KeyCode::Enter), Action::Submit, "to the worklist")];

const BACK: &[Binding] = &[hint(Chord::plain(KeyCode::Esc), Action::Back, "back")];

const WORKLIST: &[Binding] = &[
    hint(Chord::plain(KeyCode::Enter), Action::Open, "open"),
    hint(Chord::key('n'), Action::NewCase, "ask a colleague"),
    hint(Chord::key('i'), Action::Import, "import"),
    hint(Chord::key('c'), Action::Colleagues, "colleagues"),
    hint(Chord::key('/'), Action::Filter, "filter"),
    bind(Chord::key('t'), Action::Studies, "studies"),
    bind(Chord::key('o'), Action::Sort, "sort by another column"),
    bind(Chord::key('f'), Action::Fetch, "fetch the images"),
    bind(Chord::key('w'), Action::Transfers, "transfers: what waits"),
    bind(Chord::key('v'), Action::VerifyCase, "verify the case"),
    bind(Chord::key('b'), Action::TakeBundle, "take in a bundle"),
    bind(Chord::key('B'), Action::PackBundle, "pack a bundle"),
    bind(Chord::key('x'), Action::CloseCase, "close or reopen it"),
    bind(Chord::plain(KeyCode::Delete), Action::PurgeCase, "delete the case here"),
    bind(Chord::key('r'), Action::Refresh, "look again"),
    bind(Chord::key('s'), Action::Settings, "settings"),
    bind(Chord::key('l'), Action::Log, "what the node did"),
    bind(Chord::key('R'), Action::RecoveryCode, "recovery code, on paper"),
    bind(Chord::key('q'), Action::Quit, "quit"),
];

const COLLEAGUES: &[Binding] = &[
    hint(Chord::key('p'), Action::PairOpen, "pair: read a code"),
    hint(Chord::key('t'), Action::PairJoin, "type a code"),
    hint(Chord::key('v'), Action::Verify, "compare words"),
    bind(Chord::key('n'), Action::Rename, "give another name"),
    bind(Chord::key('b'), Action::Block, "block, or end the block"),
    bind(Chord::plain(KeyCode::Enter), Action::Verify, "compare words"),
    bind(Chord::plain(KeyCode::Delete), Action::Remove, "remove the card"),
    bind(Chord::key('a'), Action::AddCards, "add cards from a file or folder"),
    bind(Chord::key('e'), Action::ExportCard, "write my card to a file"),
    bind(Chord::key('m'), Action::OwnCard, "my card"),
    bind(Chord::key('r'), Action::Refresh, "look again"),
];

const PAIRING: &[Binding] = &[hint(Chord::plain(KeyCode::Esc), Action::Back, "end the pairing")];

const PAIRING_CONFIRM: &[Binding] = &[
    hint(Chord::key('y'), Action::Accept, "yes, it is this person"),
    hint(Chord::key('n'), Action::Decline, "no"),
    bind(Chord::plain(KeyCode::Esc), Action::Decline, "no"),
];

const PAIRING_ENDED: &[Binding] = &[hint(Chord::plain(KeyCode::Enter), Action::Submit, "try again")];

const OWN_CARD: &[Binding] = &[hint(Chord::key('e'), Action::ExportCard, "write it to a file")];

const RECOVERY: &[Binding] = &[hint(Chord::plain(KeyCode::Enter), Action::Submit, "go on")];

const SETTINGS: &[Binding] = &[hint(Chord::plain(KeyCode::Enter), Action::Open, "choose")];

const DOCTOR: &[Binding] = &[hint(Chord::key('r'), Action::Refresh, "check again")];

const VERIFYING: &[Binding] = &[hint(Chord::plain(KeyCode::Esc), Action::Stop, "stop")];

const VERIFICATION: &[Binding] = &[hint(Chord::key('r'), Action::Refresh, "verify again")];

const LOG: &[Binding] = &[
    hint(Chord::key('/'), Action::Filter, "filter"),
    hint(Chord::plain(KeyCode::Enter), Action::Open, "open its case"),
];

const TRANSFERS: &[Binding] = &[
    hint(Chord::plain(KeyCode::Enter), Action::Open, "open its case"),
    hint(Chord::key('t'), Action::TryNow, "try now"),
    hint(Chord::key('f'), Action::Fetch, "fetch the rest"),
    hint(Chord::key('m'), Action::FetchKeyImages, "images with marks first"),
    bind(Chord::key('r'), Action::Refresh, "look again"),
];

const CASE: &[Binding] = &[
    hint(Chord::plain(KeyCode::Tab), Action::NextTab, "next page of the panel"),
    bind(Chord::shift(KeyCode::Tab), Action::PreviousTab, "page before"),
    hint(Chord::key('s'), Action::Write, "say something"),
    bind(Chord::key('S'), Action::WriteWithView, "say something with what is seen"),
    bind(Chord::key('D'), Action::AnswerMark, "answer the chosen mark"),
    bind(Chord::key('V'), Action::ShowView, "show what writers of messages saw, or answer"),
    hint(Chord::control('o'), Action::WriteOpinion, "give an opinion"),
    bind(Chord::key('E'), Action::Change(Change::Edit), "change question, urgency, due time"),
    bind(Chord::key('B'), Action::MemberAdd, "bring in a colleague"),
    bind(Chord::key('J'), Action::MemberRole, "another role for the chosen member"),
    bind(Chord::key('U'), Action::MemberRemove, "take the chosen member out, or leave"),
    bind(Chord::key('C'), Action::Change(Change::StudyAdd), "add a study, such as a prior"),
    bind(Chord::key('W'), Action::Change(Change::StudyWithdraw), "withdraw a study"),
    bind(Chord::key('G'), Action::Change(Change::Addendum), "add to my opinion"),
    bind(Chord::key('Q'), Action::CloseCase, "close or reopen the case"),
    bind(Chord::control('a'), Action::AcceptCase, "accept the invitation"),
    bind(Chord::control('f'), Action::Fetch, "fetch the images"),
    bind(Chord::control('t'), Action::Transfers, "transfers: what waits"),
    bind(Chord::key('Y'), Action::VerifyCase, "verify this case: signatures and images"),
    bind(Chord::key('}'), Action::PanelItemNext, "choose the next in the panel"),
    bind(Chord::key('{'), Action::PanelItemPrevious, "choose the one before"),
    bind(Chord::plain(KeyCode::Enter), Action::PanelItemOpen, "open what is chosen there"),
    bind(Chord::key('F'), Action::PackBundle, "pack it into a file, a bundle"),
    bind(Chord::key(')'), Action::PanelDown, "scroll the panel down"),
    bind(Chord::key('('), Action::PanelUp, "scroll the panel up"),
    bind(Chord::key('p'), Action::Panel, "show or hide the panel"),
];

const VIEWER: &[Binding] = &[
    bind(Chord::plain(KeyCode::Up), Action::SliceUp, "slice before"),
    bind(Chord::plain(KeyCode::Down), Action::SliceDown, "next slice"),
    bind(Chord::key('k'), Action::SliceUp, "slice before"),
    bind(Chord::key('j'), Action::SliceDown, "next slice"),
    bind(Chord::plain(KeyCode::PageUp), Action::SlicePageUp, "ten slices back"),
    bind(Chord::plain(KeyCode::PageDown), Action::SlicePageDown, "ten slices on"),
    bind(Chord::plain(KeyCode::Home), Action::SliceFirst, "first slice"),
    bind(Chord::plain(KeyCode::End), Action::SliceLast, "last slice"),
    hint(Chord::key(']'), Action::SeriesNext, "next series"),
    bind(Chord::key('['), Action::SeriesPrevious, "series before"),
    bind(Chord::key(' '), Action::ViewportNext, "next viewport"),
    hint(Chord::key('g'), Action::Layout, "layout"),
    bind(Chord::key('c'), Action::Cine, "cine, on and off"),
    bind(Chord::key('1'), Action::Window(1), "brain window"),
    bind(Chord::key('2'), Action::Window(2), "subdural window"),
    bind(Chord::key('3'), Action::Window(3), "stroke window"),
    bind(Chord::key('4'), Action::Window(4), "lung window"),
    bind(Chord::key('5'), Action::Window(5), "mediastinum window"),
    bind(Chord::key('6'), Action::Window(6), "abdomen window"),
    bind(Chord::key('7'), Action::Window(7), "liver window"),
    bind(Chord::key('8'), Action::Window(8), "bone window"),
    bind(Chord::key('9'), Action::Window(9), "the file's next window, or its ninth"),
    bind(Chord::key('0'), Action::Window(0), "the file's window"),
    hint(Chord::key('w'), Action::WindowNext, "next window"),
    bind(Chord::plain(KeyCode::Right), Action::WindowWider, "wider window"),
    bind(Chord::plain(KeyCode::Left), Action::WindowNarrower, "narrower window"),
    bind(Chord::shift(KeyCode::Up), Action::LevelUp, "higher level"),
    bind(Chord::shift(KeyCode::Down), Action::LevelDown, "lower level"),
    bind(Chord::key('i'), Action::Invert, "invert"),
    bind(Chord::key('h'), Action::FlipHorizontal, "flip left to right"),
    bind(Chord::key('v'), Action::FlipVertical, "flip top to bottom"),
    bind(Chord::key('r'), Action::TurnRight, "turn right"),
    bind(Chord::key('R'), Action::TurnLeft, "turn left"),
    bind(Chord::key('+'), Action::ZoomIn, "larger"),
    bind(Chord::key('-'), Action::ZoomOut, "smaller"),
    bind(Chord::key('z'), Action::ZoomFit, "fit"),
    bind(Chord::key('Z'), Action::ZoomOne, "pixel for pixel"),
    bind(Chord::alt(KeyCode::Left), Action::PanLeft, "look to the left"),
    bind(Chord::alt(KeyCode::Right), Action::PanRight, "look to the right"),
    bind(Chord::alt(KeyCode::Up), Action::PanUp, "look up"),
    bind(Chord::alt(KeyCode::Down), Action::PanDown, "look down"),
    bind(Chord::key('P'), Action::Thumbnails, "hide or show small pictures of the series"),
    bind(Chord::key('I'), Action::Interpolate, "blend enlarged pixels, or not"),
    bind(Chord::key('O'), Action::Overlays, "hide or show overlay planes"),
    bind(Chord::plain(KeyCode::Backspace), Action::ResetView, "as the file wants it"),
    bind(Chord::key('l'), Action::Link, "scroll viewports together, or each alone"),
    bind(Chord::key('L'), Action::PairSlices, "link two series at the slices shown"),
    bind(Chord::key('X'), Action::ReferenceLines, "hide or show reference lines"),
    hint(Chord::key('x'), Action::Crosshair, "crosshair"),
    bind(Chord::key(','), Action::NextCut, "axial, coronal, sagittal, as acquired"),
    hint(Chord::key('M'), Action::ThreePlanes, "three planes"),
    bind(Chord::key('>'), Action::SlabThicker, "thicker slab"),
    bind(Chord::key('<'), Action::SlabThinner, "thinner slab"),
    bind(Chord::key('T'), Action::SlabProjection, "maximum, minimum or mean of a slab"),
];

const TOOLS: &[Binding] = &[
    hint(Chord::key('d'), Action::Tool(Tool::Length), "length"),
    bind(Chord::key('.'), Action::Tool(Tool::Probe), "probe a value"),
    bind(Chord::key('a'), Action::Tool(Tool::Angle), "angle"),
    bind(Chord::key('A'), Action::Tool(Tool::Cobb), "Cobb angle"),
    bind(Chord::key('b'), Action::Tool(Tool::Bidirectional), "long and short axis"),
    bind(Chord::key('e'), Action::Tool(Tool::Ellipse), "ellipse"),
    bind(Chord::key('o'), Action::Tool(Tool::Rectangle), "rectangle"),
    bind(Chord::key('f'), Action::Tool(Tool::Freehand), "outline"),
    bind(Chord::key('y'), Action::Tool(Tool::Arrow), "arrow"),
    bind(Chord::key('t'), Action::Tool(Tool::Text), "text"),
    bind(Chord::key('K'), Action::KeyImage, "key image, on and off"),
    bind(Chord::key('n'), Action::MarkNext, "to the next mark or key image"),
    bind(Chord::key('N'), Action::MarksHideAuthor, "hide or show marks of its author"),
    bind(Chord::key('m'), Action::MarksHide, "hide or show marks"),
    bind(Chord::plain(KeyCode::Delete), Action::DeleteMark, "delete my chosen mark"),
];

const MARKING: &[Binding] = &[
    hint(Chord::key(' '), Action::DropPoint, "drop a point"),
    hint(Chord::plain(KeyCode::Enter), Action::Ink, "ink it: all members get it"),
    hint(Chord::key('u'), Action::Undo, "take a point back"),
    hint(Chord::plain(KeyCode::Esc), Action::LeaveTool, "drop the mark"),
    hint(Chord::plain(KeyCode::Tab), Action::NextHandle, "choose what the arrows move"),
    hint(Chord::key('l'), Action::Label, "label"),
    bind(Chord::control('o'), Action::WriteOpinion, "ink it and give an opinion"),
    bind(Chord::key('s'), Action::Snap, "to the nearest edge"),
];

const POINTING: &[Binding] = &[
    hint(Chord::plain(KeyCode::Esc), Action::LeaveTool, "take the crosshair away"),
    bind(Chord::key('x'), Action::Crosshair, "take the crosshair away"),
    hint(Chord::key('j'), Action::SliceDown, "next slice"),
    hint(Chord::key('k'), Action::SliceUp, "slice before"),
    hint(Chord::key(' '), Action::ViewportNext, "next viewport"),
    bind(Chord::key('>'), Action::SlabThicker, "thicker slab"),
    bind(Chord::key('<'), Action::SlabThinner, "thinner slab"),
    bind(Chord::key('T'), Action::SlabProjection, "maximum, minimum or mean of a slab"),
];

/// A cursor over an image.
const CURSOR: &[Binding] = &[
    bind(Chord::plain(KeyCode::Left), Action::CursorLeft, "left by a pixel"),
    bind(Chord::plain(KeyCode::Right), Action::CursorRight, "right by a pixel"),
    bind(Chord::plain(KeyCode::Up), Action::CursorUp, "up by a pixel"),
    bind(Chord::plain(KeyCode::Down), Action::CursorDown, "down by a pixel"),
    bind(Chord::shift(KeyCode::Left), Action::CursorLeftFar, "left by ten"),
    bind(Chord::shift(KeyCode::Right), Action::CursorRightFar, "right by ten"),
    bind(Chord::shift(KeyCode::Up), Action::CursorUpFar, "up by ten"),
    bind(Chord::shift(KeyCode::Down), Action::CursorDownFar, "down by ten"),
    bind(Chord::key('+'), Action::ZoomIn, "larger"),
    bind(Chord::key('-'), Action::ZoomOut, "smaller"),
];

const OPINION: &[Binding] = &[
    hint(Chord::plain(KeyCode::Tab), Action::NextField, "next field"),
    bind(Chord::shift(KeyCode::Tab), Action::PreviousField, "field before"),
    hint(Chord::control('s'), Action::Review, "look at it once more and sign"),
    bind(Chord::control('t'), Action::StartOver, "drop the draft and start over"),
];

const IMPORT: &[Binding] = &[
    hint(Chord::plain(KeyCode::Enter), Action::Open, "open"),
    hint(Chord::key(' '), Action::Mark, "mark"),
    hint(Chord::key('f'), Action::FindStudies, "find studies"),
    hint(Chord::key('/'), Action::TypePath, "type a path"),
    hint(Chord::plain(KeyCode::Tab), Action::OtherSource, "what has arrived"),
    bind(Chord::plain(KeyCode::Right), Action::Open, "open"),
    bind(Chord::plain(KeyCode::Left), Action::FolderAbove, "folder above"),
    bind(Chord::plain(KeyCode::Backspace), Action::FolderAbove, "folder above"),
    bind(Chord::key('~'), Action::FolderHome, "home folder"),
    bind(Chord::key('m'), Action::FolderMedia, "stick or disc"),
    bind(Chord::key('.'), Action::HiddenFiles, "show or hide hidden files"),
    hint(Chord::key('p'), Action::NextPreset, "preset"),
    hint(Chord::key('s'), Action::SamePatient, "same patient as"),
    bind(Chord::key('r'), Action::Refresh, "look again"),
];

const IMPORT_PATH: &[Binding] = &[
    hint(Chord::plain(KeyCode::Enter), Action::Open, "go there"),
    hint(Chord::plain(KeyCode::Tab), Action::NextField, "complete the path"),
];

const ARRIVALS: &[Binding] = &[
    hint(Chord::plain(KeyCode::Enter), Action::FindStudies, "plan of the import"),
    hint(Chord::key(' '), Action::Mark, "mark"),
    hint(Chord::plain(KeyCode::Tab), Action::OtherSource, "files"),
    hint(Chord::plain(KeyCode::Delete), Action::Discard, "discard"),
    hint(Chord::key('l'), Action::Listen, "listen"),
    bind(Chord::key('x'), Action::StopListening, "end the listening"),
    bind(Chord::key('f'), Action::FindStudies, "plan of the import"),
    bind(Chord::key('p'), Action::NextPreset, "preset"),
    bind(Chord::key('s'), Action::SamePatient, "same patient as"),
    bind(Chord::key('r'), Action::Refresh, "look again"),
];

const LISTEN: &[Binding] = &[hint(Chord::control('s'), Action::Listen, "listen")];

const IMPORT_PLAN: &[Binding] = &[
    hint(Chord::plain(KeyCode::Enter), Action::TakeIn, "take it in"),
    hint(Chord::plain(KeyCode::Tab), Action::NextTab, "next page"),
    bind(Chord::shift(KeyCode::Tab), Action::PreviousTab, "page before"),
    hint(Chord::key(' '), Action::KeepWord, "keep a word"),
    hint(Chord::key('p'), Action::NextPreset, "preset"),
    hint(Chord::key('s'), Action::SamePatient, "same patient as"),
    bind(Chord::key('o'), Action::Sort, "sort the attributes by what is done"),
    bind(Chord::key('r'), Action::Refresh, "make the plan anew"),
];

const IMPORT_BUSY: &[Binding] = &[hint(Chord::plain(KeyCode::Esc), Action::Stop, "stop")];

const IMPORT_REPORT: &[Binding] = &[
    hint(Chord::key('n'), Action::AskAbout, "ask a colleague about it"),
    hint(Chord::key('v'), Action::LookAtLeftOut, "look at what was left out"),
    hint(Chord::key('i'), Action::Import, "take in more"),
];

/// Walking through folders.
const FOLDERS: &[Binding] = &[
    hint(Chord::key('m'), Action::FolderMedia, "stick or disc"),
    hint(Chord::key('/'), Action::TypePath, "type a path"),
    bind(Chord::plain(KeyCode::Right), Action::FolderBelow, "into the folder"),
    bind(Chord::plain(KeyCode::Left), Action::FolderAbove, "folder above"),
    bind(Chord::plain(KeyCode::Backspace), Action::FolderAbove, "folder above"),
    bind(Chord::key('~'), Action::FolderHome, "home folder"),
    bind(Chord::key('.'), Action::HiddenFiles, "show or hide hidden files"),
    bind(Chord::key('r'), Action::Refresh, "look again"),
];

const DESTINATION: &[Binding] = &[
    hint(Chord::plain(KeyCode::Enter), Action::Open, "open, or write here"),
    hint(Chord::key('w'), Action::WriteHere, "write here"),
    hint(Chord::key('n'), Action::GiveName, "another name"),
];

const NAMING: &[Binding] = &[hint(Chord::plain(KeyCode::Enter), Action::Open, "take this name")];

const BUNDLE_PACK: &[Binding] = &[
    hint(Chord::key(' '), Action::Mark, "choose"),
    hint(Chord::plain(KeyCode::Tab), Action::NextField, "people, cases"),
    bind(Chord::shift(KeyCode::Tab), Action::PreviousField, "people, cases"),
    hint(Chord::key('m'), Action::KeyImagesOnly, "all images, or marked ones"),
    hint(Chord::plain(KeyCode::Enter), Action::Submit, "go on"),
    bind(Chord::key('r'), Action::Refresh, "look again"),
];

const BUNDLE_PACKED: &[Binding] = &[
    hint(Chord::plain(KeyCode::Enter), Action::Back, "done"),
    hint(Chord::key('p'), Action::PackBundle, "pack another"),
];

const BUNDLE_TAKE: &[Binding] = &[
    hint(Chord::plain(KeyCode::Enter), Action::Open, "look into it"),
    hint(Chord::key('p'), Action::PackBundle, "pack one instead"),
];

const BUNDLE_HELD: &[Binding] = &[hint(Chord::plain(KeyCode::Enter), Action::TakeIn, "take it in")];

const BUNDLE_TAKEN: &[Binding] = &[
    hint(Chord::plain(KeyCode::Enter), Action::Open, "open the case"),
    hint(Chord::key('b'), Action::TakeBundle, "take in another"),
];

const DONE: &[Binding] = &[hint(Chord::plain(KeyCode::Enter), Action::Back, "done")];

const PICKING: &[Binding] = &[hint(Chord::plain(KeyCode::Enter), Action::Open, "choose")];

const STUDIES: &[Binding] = &[
    hint(Chord::key('n'), Action::AskAbout, "ask a colleague about it"),
    hint(Chord::key('v'), Action::LookAtLeftOut, "look at what was left out, cover names"),
    hint(Chord::key('i'), Action::Import, "import"),
    bind(Chord::key('e'), Action::ExportStudy, "export as DICOM files"),
    hint(Chord::plain(KeyCode::Delete), Action::DeleteStudy, "delete"),
    hint(Chord::key('/'), Action::Filter, "filter"),
    bind(Chord::key('r'), Action::Refresh, "look again"),
];

const STUDY_REVIEW: &[Binding] = &[
    hint(Chord::key('a'), Action::Admit, "admit: no name in it"),
    hint(Chord::key('x'), Action::KeepOut, "keep out"),
    hint(Chord::key('m'), Action::CoverName, "cover a name"),
    bind(Chord::key('s'), Action::MaskSeries, "cover its series in the same places"),
    bind(Chord::key('o'), Action::AllImages, "list images never left out, or not"),
    bind(Chord::key('u'), Action::Undecide, "take the decision back"),
    hint(Chord::key(' '), Action::NextFrame, "next frame"),
    bind(Chord::plain(KeyCode::Right), Action::NextFrame, "next frame"),
    bind(Chord::plain(KeyCode::Left), Action::PreviousFrame, "frame before"),
    hint(Chord::plain(KeyCode::Enter), Action::WriteDecisions, "write the decisions"),
];

const STUDY_MASK: &[Binding] = &[
    hint(Chord::key(' '), Action::DropPoint, "set a corner"),
    bind(Chord::plain(KeyCode::Enter), Action::DropPoint, "set a corner"),
    hint(Chord::key('u'), Action::Undo, "undo the last"),
    hint(Chord::plain(KeyCode::Delete), Action::DeleteMark, "delete"),
    hint(Chord::key('s'), Action::MaskSeries, "same in its series"),
    hint(Chord::key('a'), Action::Admit, "admit masked"),
    hint(Chord::plain(KeyCode::Esc), Action::LeaveTool, "done"),
    bind(Chord::plain(KeyCode::PageDown), Action::NextFrame, "next frame"),
    bind(Chord::plain(KeyCode::PageUp), Action::PreviousFrame, "frame before"),
    bind(Chord::plain(KeyCode::Left), Action::CursorLeft, "left by a pixel"),
    bind(Chord::plain(KeyCode::Right), Action::CursorRight, "right by a pixel"),
    bind(Chord::plain(KeyCode::Up), Action::CursorUp, "up by a pixel"),
    bind(Chord::plain(KeyCode::Down), Action::CursorDown, "down by a pixel"),
    bind(Chord::shift(KeyCode::Left), Action::CursorLeftFar, "left by ten"),
    bind(Chord::shift(KeyCode::Right), Action::CursorRightFar, "right by ten"),
    bind(Chord::shift(KeyCode::Up), Action::CursorUpFar, "up by ten"),
    bind(Chord::shift(KeyCode::Down), Action::CursorDownFar, "down by ten"),
];

const CASE_NEW: &[Binding] = &[
    hint(Chord::plain(KeyCode::Tab), Action::NextField, "next field"),
    bind(Chord::shift(KeyCode::Tab), Action::PreviousField, "field before"),
    hint(Chord::control('s'), Action::Review, "look at it once more and send"),
    hint(Chord::control('o'), Action::ReportFromFile, "first report from a file"),
];

const fn hint(chord: Chord, action: Action, words: &'static str) -> Binding {
    Binding { chord, action, words, hint: true }
}

const fn bind(chord: Chord, action: Action, words: &'static str) -> Binding {
    Binding { chord, action, words, hint: false }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    const PLACES: [Place; 47] = [
        Place::Held,
        Place::OtherVersion,
        Place::Welcome,
        Place::Restore,
        Place::Restored,
        Place::Unlock,
        Place::Worklist,
        Place::Case,
        Place::CaseNew,
        Place::Marking,
        Place::Pointing,
        Place::Opinion,
        Place::Reading,
        Place::Colleagues,
        Place::Form,
        Place::Pairing,
        Place::PairingConfirm,
        Place::PairingEnded,
        Place::OwnCard,
        Place::Recovery,
        Place::Import,
        Place::ImportPath,
        Place::Arrivals,
        Place::Listen,
        Place::ImportPlan,
        Place::ImportBusy,
        Place::ImportReport,
        Place::Picking,
        Place::Destination,
        Place::Naming,
        Place::TypedPath,
        Place::Busy,
        Place::BundlePack,
        Place::BundlePacked,
        Place::BundleTake,
        Place::BundleHeld,
        Place::BundleTaken,
        Place::Studies,
        Place::StudyExported,
        Place::StudyReview,
        Place::StudyMask,
        Place::Settings,
        Place::Doctor,
        Place::Log,
        Place::Transfers,
        Place::Verifying,
        Place::Verification,
    ];

    #[test]
    fn no_key_of_a_place_means_two_things() {
        for place in PLACES {
            let mut seen = HashSet::new();
            for binding in bindings(place) {
                assert!(seen.insert(binding.chord), "{place:?}: {} stands twice", binding.chord.shown());
            }
        }
    }
}
