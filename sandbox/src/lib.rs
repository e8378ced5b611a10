//! The sandbox: one World, and the serverless platform around it, on one machine.

pub mod chronicle;
#[cfg(feature = "http")]
pub mod demo;
#[cfg(feature = "http")]
pub mod functions;
#[cfg(feature = "http")]
pub mod http;
pub mod inprocess;
#[cfg(feature = "http")]
pub mod platform;
#[cfg(feature = "http")]
mod sandbox;
pub mod script;
pub mod simulator;
#[cfg(feature = "http")]
pub mod wire;
pub mod world;

#[cfg(feature = "http")]
pub use sandbox::{Options, Sandbox, StartError};
