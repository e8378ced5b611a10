//! The statistics behind verdicts: golden vectors, the single-minute certificate, what never passes.

mod certificate;
mod never_pass;
mod vectors;
