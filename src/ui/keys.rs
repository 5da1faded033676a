//! Every key and what it does, in one place: the hints at the bottom, the help and the command palette read the same
//! table that decides.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

use crate::case::content::Shape;

/// What a key, a click or the palette asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Action {
    // Everywhere
    Help,
    Palette,
    Lock,
    Quit,
    Back,
    Redraw,
    // Lists
    Up,
    Down,
    PageUp,
    PageDown,
    First,
    Last,
    Open,
    Filter,
    Sort,
    Refresh,
    // Forms
    NextField,
    PreviousField,
    Submit,
    // From the worklist
    NewCase,
    Import,
    Colleagues,
    Settings,
    Log,
    RecoveryCode,
    CloseCase,
    PurgeCase,
    PurgeConfirmed,
    Fetch,
    // Colleagues
    PairOpen,
    PairJoin,
    Verify,
    Rename,
    Block,
    BlockConfirmed,
    Remove,
    RemoveConfirmed,
    AddCards,
    ExportCard,
    OwnCard,
    // Pairing: what to say to the other's name and site
    Accept,
    Decline,
    // Case
    NextTab,
    PreviousTab,
    Write,
    WriteOpinion,
    AcceptCase,
    SendChecked,
    // Studies: taking in, looking, asking
    Studies,
    Mark,
    FolderAbove,
    FolderHome,
    HiddenFiles,
    TypePath,
    FindStudies,
    NextPreset,
    SamePatient,
    SamePatientConfirmed,
    KeepWord,
    TakeIn,
    Stop,
    AskAbout,
    LookAtLeftOut,
    DeleteStudy,
    DeleteStudyConfirmed,
    Admit,
    KeepOut,
    Undecide,
    NextFrame,
    PreviousFrame,
    WriteDecisions,
    DecisionsConfirmed,
    ReportFromFile,
    SendCase,
    SendUnverified,
    SendOtherPatient,
    // Opinion
    Review,
    Sign,
    SignIncomplete,
    SignChecked,
    LeaveConfirmed,
    // Viewer
    SliceUp,
    SliceDown,
    SlicePageUp,
    SlicePageDown,
    SliceFirst,
    SliceLast,
    SeriesNext,
    SeriesPrevious,
    ViewportNext,
    Layout,
    Cine,
    Window(u8),
    WindowNext,
    WindowWider,
    WindowNarrower,
    LevelUp,
    LevelDown,
    Invert,
    FlipHorizontal,
    FlipVertical,
    TurnRight,
    TurnLeft,
    ZoomIn,
    ZoomOut,
    ZoomFit,
    ZoomOne,
    PanLeft,
    PanRight,
    PanUp,
    PanDown,
    ResetView,
    Panel,
    MarksHide,
    MarkNext,
    // Marks
    Tool(Tool),
    CursorLeft,
    CursorRight,
    CursorUp,
    CursorDown,
    CursorLeftFar,
    CursorRightFar,
    CursorUpFar,
    CursorDownFar,
    DropPoint,
    Ink,
    Undo,
    LeaveTool,
    DeleteMark,
    DeleteMarkConfirmed,
}

/// What is drawn next.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Tool {
    Probe,
    Length,
    Angle,
    Cobb,
    Bidirectional,
    Ellipse,
    Rectangle,
    Freehand,
    Arrow,
    Text,
}

impl Tool {
    pub const ALL: [Self; 10] = [
        Self::Probe,
        Self::Length,
        Self::Angle,
        Self::Cobb,
        Self::Bidirectional,
        Self::Ellipse,
        Self::Rectangle,
        Self::Freehand,
        Self::Arrow,
        Self::Text,
    ];

    /// As the command line calls it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Probe => "probe",
            Self::Length => "length",
            Self::Angle => "angle",
            Self::Cobb => "cobb",
            Self::Bidirectional => "bidirectional",
            Self::Ellipse => "ellipse",
            Self::Rectangle => "rectangle",
            Self::Freehand => "freehand",
            Self::Arrow => "arrow",
            Self::Text => "text",
        }
    }

    pub fn shape(self) -> Shape {
        match self {
            Self::Probe => Shape::Probe,
            Self::Length => Shape::Length,
            Self::Angle => Shape::Angle,
            Self::Cobb => Shape::Cobb,
            Self::Bidirectional => Shape::Bidirectional,
            Self::Ellipse => Shape::Ellipse,
            Self::Rectangle => Shape::Rectangle,
            Self::Freehand => Shape::Freehand,
            Self::Arrow => Shape::Arrow,
            Self::Text => Shape::Text,
        }
    }
}

/// Where keys apply.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Place {
    Everywhere,
    Welcome,
    Unlock,
    Worklist,
    Case,
    CaseNew,
    /// A mark is being drawn, or the keyboard's cursor is out.
    Marking,
    Opinion,
    Colleagues,
    /// Fields of text over another screen.
    Form,
    /// The door is open, or somebody else's is looked for.
    Pairing,
    /// A person stands at the door.
    PairingConfirm,
    /// The pairing came to nothing.
    PairingEnded,
    OwnCard,
    Recovery,
    /// Choosing what to take in.
    Import,
    /// The plan of an import.
    ImportPlan,
    /// The node reads or takes in.
    ImportBusy,
    ImportReport,
    /// A list to choose one from, over another screen.
    Picking,
    Studies,
    /// Looking at what was left out of a study.
    StudyReview,
    Settings,
    Doctor,
    Log,
}

impl Place {
    pub fn title(self) -> &'static str {
        match self {
            Self::Everywhere => "Everywhere",
            Self::Welcome => "First start",
            Self::Unlock => "Unlock",
            Self::Worklist => "Worklist",
            Self::Case => "Case",
            Self::CaseNew => "New case",
            Self::Marking => "Measure and mark",
            Self::Opinion => "Opinion",
            Self::Colleagues => "Colleagues",
            Self::Form => "Form",
            Self::Pairing | Self::PairingConfirm | Self::PairingEnded => "Pairing",
            Self::OwnCard => "My card",
            Self::Recovery => "Recovery code",
            Self::Import => "Import",
            Self::ImportPlan => "Plan of an import",
            Self::ImportBusy => "Import under way",
            Self::ImportReport => "What was taken in",
            Self::Picking => "Choose one",
            Self::Studies => "Studies",
            Self::StudyReview => "Left-out images",
            Self::Settings => "Settings",
            Self::Doctor => "Set-up check",
            Self::Log => "Log",
        }
    }
}

/// A key with its modifiers. Shift counts only where the key has no shifted character of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Chord {
    pub code: KeyCode,
    pub modifiers: KeyModifiers,
}

impl Chord {
    pub const fn plain(code: KeyCode) -> Self {
        Self { code, modifiers: KeyModifiers::NONE }
    }

    pub const fn key(character: char) -> Self {
        Self::plain(KeyCode::Char(character))
    }

    pub const fn control(character: char) -> Self {
        Self { code: KeyCode::Char(character), modifiers: KeyModifiers::CONTROL }
    }

    pub const fn shift(code: KeyCode) -> Self {
        Self { code, modifiers: KeyModifiers::SHIFT }
    }

    pub const fn alt(code: KeyCode) -> Self {
        Self { code, modifiers: KeyModifiers::ALT }
    }

    /// As terminals send it: a capital letter comes with or without Shift.
    pub fn of(event: KeyEvent) -> Self {
        let mut modifiers = event.modifiers & (KeyModifiers::CONTROL | KeyModifiers::ALT | KeyModifiers::SHIFT);
        if let KeyCode::Char(_) = event.code {
            modifiers.remove(KeyModifiers::SHIFT);
        }
        match event.code {
            KeyCode::BackTab => Self { code: KeyCode::Tab, modifiers: modifiers | KeyModifiers::SHIFT },
            code => Self { code, modifiers },
        }
    }

    /// As a person reads it.
    pub fn shown(self) -> String {
        let mut text = String::new();
        for (modifier, word) in
            [(KeyModifiers::CONTROL, "Ctrl+"), (KeyModifiers::ALT, "Alt+"), (KeyModifiers::SHIFT, "Shift+")]
        {
            if self.modifiers.contains(modifier) {
                text += word;
            }
        }
        match self.code {
            KeyCode::Char(' ') => text += "Space",
            KeyCode::Char(character) if self.modifiers.is_empty() => text.push(character),
            KeyCode::Char(character) => text.extend(character.to_uppercase()),
            KeyCode::Enter => text += "Enter",
            KeyCode::Esc => text += "Esc",
            KeyCode::Tab => text += "Tab",
            KeyCode::Backspace => text += "Backspace",
            KeyCode::Delete => text += "Del",
            KeyCode::Up => text += "↑",
            KeyCode::Down => text += "↓",
            KeyCode::Left => text += "←",
            KeyCode::Right => text += "→",
            KeyCode::PageUp => text += "PgUp",
            KeyCode::PageDown => text += "PgDn",
            KeyCode::Home => text += "Home",
            KeyCode::End => text += "End",
            KeyCode::F(number) => text += &format!("F{number}"),
            other => text += &format!("{other:?}"),
        }
        text
    }
}

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

const fn hint(chord: Chord, action: Action, words: &'static str) -> Binding {
    Binding { chord, action, words, hint: true }
}

const fn bind(chord: Chord, action: Action, words: &'static str) -> Binding {
    Binding { chord, action, words, hint: false }
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

const LOG: &[Binding] = &[
    hint(Chord::key('/'), Action::Filter, "filter"),
    hint(Chord::plain(KeyCode::Enter), Action::Open, "open its case"),
];

const CASE: &[Binding] = &[
    hint(Chord::plain(KeyCode::Tab), Action::NextTab, "next page of the panel"),
    bind(Chord::shift(KeyCode::Tab), Action::PreviousTab, "page before"),
    hint(Chord::key('s'), Action::Write, "say something"),
    hint(Chord::control('o'), Action::WriteOpinion, "give an opinion"),
    bind(Chord::control('a'), Action::AcceptCase, "accept the invitation"),
    bind(Chord::control('f'), Action::Fetch, "fetch the images"),
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
    bind(Chord::plain(KeyCode::Backspace), Action::ResetView, "as the file wants it"),
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
    bind(Chord::key('n'), Action::MarkNext, "to the next mark"),
    bind(Chord::key('m'), Action::MarksHide, "hide or show marks"),
    bind(Chord::plain(KeyCode::Delete), Action::DeleteMark, "delete my chosen mark"),
];

const MARKING: &[Binding] = &[
    hint(Chord::key(' '), Action::DropPoint, "drop a point"),
    hint(Chord::plain(KeyCode::Enter), Action::Ink, "ink it: all members get it"),
    hint(Chord::key('u'), Action::Undo, "take a point back"),
    hint(Chord::plain(KeyCode::Esc), Action::LeaveTool, "drop the mark"),
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
];

const IMPORT: &[Binding] = &[
    hint(Chord::plain(KeyCode::Enter), Action::Open, "open"),
    hint(Chord::key(' '), Action::Mark, "mark"),
    hint(Chord::key('f'), Action::FindStudies, "find studies"),
    hint(Chord::key('/'), Action::TypePath, "type a path"),
    bind(Chord::plain(KeyCode::Tab), Action::NextField, "complete the path"),
    bind(Chord::plain(KeyCode::Right), Action::Open, "open"),
    bind(Chord::plain(KeyCode::Left), Action::FolderAbove, "folder above"),
    bind(Chord::plain(KeyCode::Backspace), Action::FolderAbove, "folder above"),
    bind(Chord::key('~'), Action::FolderHome, "home folder"),
    bind(Chord::key('.'), Action::HiddenFiles, "show or hide hidden files"),
    hint(Chord::key('p'), Action::NextPreset, "preset"),
    hint(Chord::key('s'), Action::SamePatient, "same patient as"),
    bind(Chord::key('r'), Action::Refresh, "look again"),
];

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

const PICKING: &[Binding] = &[hint(Chord::plain(KeyCode::Enter), Action::Open, "choose")];

const STUDIES: &[Binding] = &[
    hint(Chord::key('n'), Action::AskAbout, "ask a colleague about it"),
    hint(Chord::key('v'), Action::LookAtLeftOut, "look at what was left out"),
    hint(Chord::key('i'), Action::Import, "import"),
    hint(Chord::plain(KeyCode::Delete), Action::DeleteStudy, "delete"),
    hint(Chord::key('/'), Action::Filter, "filter"),
    bind(Chord::key('r'), Action::Refresh, "look again"),
];

const STUDY_REVIEW: &[Binding] = &[
    hint(Chord::key('a'), Action::Admit, "admit: no name in it"),
    hint(Chord::key('x'), Action::KeepOut, "keep out"),
    bind(Chord::key('u'), Action::Undecide, "take the decision back"),
    hint(Chord::key(' '), Action::NextFrame, "next frame"),
    bind(Chord::plain(KeyCode::Right), Action::NextFrame, "next frame"),
    bind(Chord::plain(KeyCode::Left), Action::PreviousFrame, "frame before"),
    hint(Chord::plain(KeyCode::Enter), Action::WriteDecisions, "write the decisions"),
];

const CASE_NEW: &[Binding] = &[
    hint(Chord::plain(KeyCode::Tab), Action::NextField, "next field"),
    bind(Chord::shift(KeyCode::Tab), Action::PreviousField, "field before"),
    hint(Chord::control('s'), Action::Review, "look at it once more and send"),
    hint(Chord::control('o'), Action::ReportFromFile, "first report from a file"),
];

/// The keys of a place, the most particular first.
pub fn bindings(place: Place) -> Vec<&'static Binding> {
    let groups: &[&'static [Binding]] = match place {
        Place::Everywhere => &[EVERYWHERE],
        Place::Welcome | Place::Unlock => &[FORM, EVERYWHERE],
        Place::Worklist => &[WORKLIST, LIST, EVERYWHERE],
        Place::CaseNew => &[CASE_NEW, BACK, EVERYWHERE],
        Place::Import => &[IMPORT, BACK, LIST, EVERYWHERE],
        Place::ImportPlan => &[IMPORT_PLAN, BACK, LIST, EVERYWHERE],
        Place::ImportBusy => &[IMPORT_BUSY, EVERYWHERE],
        Place::ImportReport => &[IMPORT_REPORT, BACK, LIST, EVERYWHERE],
        Place::Picking => &[PICKING, BACK, LIST, EVERYWHERE],
        Place::Studies => &[STUDIES, BACK, LIST, EVERYWHERE],
        Place::StudyReview => &[STUDY_REVIEW, BACK, LIST, EVERYWHERE],
        Place::Opinion => &[OPINION, BACK, EVERYWHERE],
        Place::Case => &[CASE, VIEWER, TOOLS, BACK, EVERYWHERE],
        Place::Marking => &[MARKING, EVERYWHERE],
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
    };
    groups.iter().flat_map(|group| group.iter()).collect()
}

/// What a key does in a place. While somebody types, only keys that type nothing count.
pub fn action(place: Place, typing: bool, chord: Chord) -> Option<Action> {
    if typing && types(chord) {
        return None;
    }
    bindings(place).into_iter().find(|binding| binding.chord == chord).map(|binding| binding.action)
}

/// Whether a key writes or edits text.
fn types(chord: Chord) -> bool {
    match chord.code {
        KeyCode::Char(_) => !chord.modifiers.intersects(KeyModifiers::CONTROL | KeyModifiers::ALT),
        KeyCode::Backspace | KeyCode::Delete | KeyCode::Left | KeyCode::Right | KeyCode::Home | KeyCode::End => true,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    const PLACES: [Place; 24] = [
        Place::Welcome,
        Place::Unlock,
        Place::Worklist,
        Place::Case,
        Place::CaseNew,
        Place::Marking,
        Place::Opinion,
        Place::Colleagues,
        Place::Form,
        Place::Pairing,
        Place::PairingConfirm,
        Place::PairingEnded,
        Place::OwnCard,
        Place::Recovery,
        Place::Import,
        Place::ImportPlan,
        Place::ImportBusy,
        Place::ImportReport,
        Place::Picking,
        Place::Studies,
        Place::StudyReview,
        Place::Settings,
        Place::Doctor,
        Place::Log,
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

    #[test]
    fn letters_are_text_while_somebody_types_and_control_keys_are_not() {
        assert_eq!(action(Place::Worklist, true, Chord::key('q')), None);
        assert_eq!(action(Place::Worklist, false, Chord::key('q')), Some(Action::Quit));
        assert_eq!(action(Place::Worklist, true, Chord::control('q')), Some(Action::Quit));
    }

    #[test]
    fn a_capital_letter_is_one_key_with_and_without_shift() {
        let with = KeyEvent::new(KeyCode::Char('R'), KeyModifiers::SHIFT);
        let without = KeyEvent::new(KeyCode::Char('R'), KeyModifiers::NONE);
        assert_eq!(Chord::of(with), Chord::of(without));
    }
}
