//! The main job over HTTP: the real functions against the sandbox's AWS, under their own roles.

mod foreign;
mod kills;
mod main_job;
mod poison;
mod roles;
