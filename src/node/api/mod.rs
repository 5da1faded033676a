//! What can be asked of a node, and what it answers.
//!
//! The command line and the terminal app know only this and [`super::client::Client`]. Requests and answers are
//! plain data that travel as one JSON document a line over the control socket, or stay in the process when no
//! node runs. Field names here *are* the names of the JSON output (design 8): fields are only ever added.
//!
//! Ids in answers are the full typed ids; ids in requests are what the person typed (an id, a prefix of at least
//! four characters, a spoken case name, a colleague's name) and are resolved by the node, which says so if
//! something is ambiguous.

mod answer;
mod case;
mod failure;
mod live;
mod request;
mod study;

pub use answer::*;
pub use case::*;
pub use failure::*;
pub use live::*;
pub use request::*;
pub use study::*;
