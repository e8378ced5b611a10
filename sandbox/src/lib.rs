//! The sandbox: one World, and the serverless platform around it, on one machine.

pub mod chronicle;
pub mod demo;
pub mod functions;
pub mod http;
pub mod inprocess;
pub mod platform;
mod sandbox;
pub mod script;
pub mod wire;
pub mod world;

pub use sandbox::{Options, Sandbox, StartError};
