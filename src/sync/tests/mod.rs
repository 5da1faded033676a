//! Machines in one process, with a pretend line and clock.

mod chunks;
mod entries;
mod harness;
mod hostile;
mod schedules;
