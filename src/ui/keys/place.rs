//! Where keys apply: a screen, or what lies over it.

/// Where keys apply.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Place {
    Everywhere,
    /// Another program holds the home.
    Held,
    /// The node of the home is of another version.
    OtherVersion,
    Welcome,
    /// The recovery code of an identity is typed.
    Restore,
    /// It came back.
    Restored,
    Unlock,
    Worklist,
    Case,
    CaseNew,
    /// A mark is being drawn.
    Marking,
    /// The crosshair is out.
    Pointing,
    Opinion,
    /// A colleague's opinion is read.
    Reading,
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
    /// Choosing what to take in: of the disk.
    Import,
    /// Typing a path of it.
    ImportPath,
    /// Choosing what to take in: of what neighbours sent.
    Arrivals,
    /// Fields that say how to listen for neighbours.
    Listen,
    /// The plan of an import.
    ImportPlan,
    /// The node reads or takes in.
    ImportBusy,
    ImportReport,
    /// A list to choose one from, over another screen.
    Picking,
    /// Choosing where something is written.
    Destination,
    /// Typing the name it gets there.
    Naming,
    /// Typing a path of where it is written, or of a bundle.
    TypedPath,
    /// Something is written or taken in.
    Busy,
    /// Choosing for whom a bundle is, and what goes into it.
    BundlePack,
    BundlePacked,
    /// Choosing a bundle on the disk.
    BundleTake,
    /// What it holds.
    BundleHeld,
    BundleTaken,
    Studies,
    /// What was exported.
    StudyExported,
    /// Looking at what was left out of a study.
    StudyReview,
    /// Covering burned-in text in one of its images.
    StudyMask,
    Settings,
    Doctor,
    Log,
    /// What is under way and what waits.
    Transfers,
    /// The node verifies what is stored.
    Verifying,
    /// What it found.
    Verification,
}

impl Place {
    pub fn title(self) -> &'static str {
        match self {
            Self::Everywhere => "Everywhere",
            Self::Held => "Home in use",
            Self::OtherVersion => "Another version",
            Self::Welcome => "First start",
            Self::Restore => "Restore an identity",
            Self::Restored => "Identity restored",
            Self::Unlock => "Unlock",
            Self::Worklist => "Worklist",
            Self::Case => "Case",
            Self::CaseNew => "New case",
            Self::Pointing => "Crosshair",
            Self::Marking => "Measure and mark",
            Self::Opinion => "Opinion",
            Self::Reading => "An opinion",
            Self::Colleagues => "Colleagues",
            Self::Form => "Form",
            Self::Pairing | Self::PairingConfirm | Self::PairingEnded => "Pairing",
            Self::OwnCard => "My card",
            Self::Recovery => "Recovery code",
            Self::Import | Self::ImportPath => "Import",
            Self::Arrivals => "Arrived from the hospital",
            Self::Listen => "Listen for a PACS",
            Self::ImportPlan => "Plan of an import",
            Self::ImportBusy => "Import under way",
            Self::ImportReport => "What was taken in",
            Self::Picking => "Choose one",
            Self::Destination => "Where it is written",
            Self::Naming => "Its name",
            Self::TypedPath => "A path",
            Self::Busy => "Under way",
            Self::BundlePack => "Pack a bundle",
            Self::BundlePacked => "A bundle that was packed",
            Self::BundleTake => "Take in a bundle",
            Self::BundleHeld => "What a bundle holds",
            Self::BundleTaken => "What a bundle brought",
            Self::Studies => "Studies",
            Self::StudyExported => "What was exported",
            Self::StudyReview => "Left-out images",
            Self::StudyMask => "Cover burned-in text",
            Self::Settings => "Settings",
            Self::Doctor => "Set-up check",
            Self::Log => "Log",
            Self::Transfers => "Transfers",
            Self::Verifying => "Verification under way",
            Self::Verification => "Verification",
        }
    }
}
