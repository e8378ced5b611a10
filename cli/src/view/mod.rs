//! What people see of the API's structs. Nothing here writes: structs in, lines out.

pub mod demo;
pub mod journal;
pub mod line;
pub mod list;
pub mod live;
pub mod plan;
pub mod report;
pub mod time;
