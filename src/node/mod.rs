//! The running program: owns vault, store and network; commands in, events out.

pub mod api;
pub mod library;
