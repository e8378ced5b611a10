//! The deployment state machine of Tidegate, the ports that it is driven through, and (feature `aws`) the adapters.
//!
//! `ARCHITECTURE.md` follows one event through these rooms.
#![warn(missing_docs)]

pub mod analysis;
pub mod api;
pub mod audit;
#[cfg(feature = "aws")]
pub mod aws;
pub mod driver;
pub mod estate;
pub mod events;
pub mod fault;
pub mod ids;
pub mod machine;
pub mod mistake;
pub mod observation;
pub mod plan;
pub mod ports;
pub mod rollout;
pub mod spec;
pub mod strategy;
pub mod telemetry;
#[cfg(test)]
mod test_support;
pub mod weight;
