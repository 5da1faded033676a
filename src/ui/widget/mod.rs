//! Small parts that several screens are made of: what they keep, and how they are drawn.

pub mod amount;
pub mod big;
pub mod field;
pub mod form;
pub mod list;
pub mod menu;
pub mod popup;
pub mod text;
pub mod toast;
pub mod wrap;
