//! How finely a picture is shown: exact at rest, with fewer greys and pixels while moving over a slow link.

/// Greys and pixels of a picture on the screen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Quality {
    /// At most so many greys; a terminal may have fewer.
    pub greys: u16,
    /// Side of the squares, in pixels, that become one: 1 keeps every pixel.
    pub coarse: u8,
}

impl Quality {
    /// The picture as it is.
    pub const EXACT: Self = Self { greys: 256, coarse: 1 };

    /// From the exact picture to the least that still tells where one is.
    pub const LADDER: [Self; 6] = [
        Self::EXACT,
        Self { greys: 32, coarse: 1 },
        Self { greys: 16, coarse: 1 },
        Self { greys: 32, coarse: 2 },
        Self { greys: 16, coarse: 2 },
        Self { greys: 16, coarse: 4 },
    ];

    pub fn is_exact(self) -> bool {
        self == Self::EXACT
    }

    /// The quality with no more greys than a terminal has; it keeps being a draft or not.
    pub(super) fn greys_within(self, greys_max: u16) -> u16 {
        self.greys.min(greys_max).max(2)
    }
}
