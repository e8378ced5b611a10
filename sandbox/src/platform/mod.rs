//! What AWS runs around the World: functions, queues, buses, rules, roles, as template.yaml says.

pub mod clock;
pub mod iam;
pub mod patterns;
pub mod template;
pub mod transcript;

/// Something in template.yaml that this sandbox cannot run, and where it stands.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("template: {place}: {problem}")]
pub struct LoadError {
    /// The logical id, its type, and the property.
    pub place: String,
    pub problem: String,
}

impl LoadError {
    pub fn new(place: impl Into<String>, problem: impl Into<String>) -> Self {
        Self { place: place.into(), problem: problem.into() }
    }
}
