//! The AWS door: one loopback listener that speaks for every service.

pub mod aws;
