//! Finds targets.
