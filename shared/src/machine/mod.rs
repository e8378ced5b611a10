//! The council: decides, and does nothing. No clock, no randomness, no IO, no error type.

pub mod effect;
pub mod event;
pub mod report;
