//! The deployment state machine of Tidegate.
