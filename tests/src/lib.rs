//! Shared pieces of the tests.

pub mod corpus;
pub mod documents;
pub mod layers;
pub mod recordings;
pub mod shop;
pub mod source;
pub mod stack;
pub mod tidy;
