//! The binary from outside: what it prints, sends and returns.

mod fake;
mod help;
mod judge;
mod specs;
mod verbs;
