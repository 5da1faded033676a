//! What a key can ask for.

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
    // First start
    RestoreIdentity,
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
    Transfers,
    TryNow,
    VerifyCase,
    FetchKeyImages,
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
    WriteWithView,
    AnswerMark,
    ShowView,
    WriteOpinion,
    Change(Change),
    ChangeConfirmed,
    PanelItemNext,
    PanelItemPrevious,
    PanelItemOpen,
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
    OtherSource,
    Discard,
    DiscardConfirmed,
    Listen,
    ListenToAnyone,
    StopListening,
    StopListeningConfirmed,
    AskAbout,
    LookAtLeftOut,
    DeleteStudy,
    DeleteStudyConfirmed,
    Admit,
    KeepOut,
    Undecide,
    NextFrame,
    PreviousFrame,
    CoverName,
    MaskSeries,
    AllImages,
    WriteDecisions,
    DecisionsConfirmed,
    ReportFromFile,
    SendCase,
    SendUnverified,
    SendOtherPatient,
    // Opinion
    StartOver,
    StartOverConfirmed,
    Review,
    Sign,
    SignIncomplete,
    SignChecked,
    LeaveConfirmed,
    QuitConfirmed,
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
    PanelDown,
    PanelUp,
    Thumbnails,
    Interpolate,
    Overlays,
    MarksHide,
    MarksHideAuthor,
    MarkNext,
    // Several viewports
    Link,
    PairSlices,
    ReferenceLines,
    Crosshair,
    NextCut,
    ThreePlanes,
    SlabThicker,
    SlabThinner,
    SlabProjection,
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
    NextHandle,
    Snap,
    Label,
    InkChecked,
    LeaveTool,
    KeyImage,
    DeleteMark,
    DeleteMarkConfirmed,
}

impl Action {
    /// How far an arrow moves a cursor over an image: columns and rows, in pixels.
    pub fn cursor_step(self) -> Option<(f64, f64)> {
        Some(match self {
            Self::CursorLeft => (-1.0, 0.0),
            Self::CursorRight => (1.0, 0.0),
            Self::CursorUp => (0.0, -1.0),
            Self::CursorDown => (0.0, 1.0),
            Self::CursorLeftFar => (-10.0, 0.0),
            Self::CursorRightFar => (10.0, 0.0),
            Self::CursorUpFar => (0.0, -10.0),
            Self::CursorDownFar => (0.0, 10.0),
            _ => return None,
        })
    }
}

/// What is changed of a case.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Change {
    /// Question, urgency, due time, context, first report.
    Edit,
    MemberAdd,
    MemberRole,
    MemberRemove,
    StudyAdd,
    StudyWithdraw,
    /// Of one's own opinion.
    Addendum,
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
