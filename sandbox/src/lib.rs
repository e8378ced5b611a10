//! The sandbox: one World, and the serverless platform around it, on one machine.

pub mod http;
pub mod platform;
pub mod wire;
pub mod world;
