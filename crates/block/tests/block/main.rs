//! Blocks as their users see them: written, read back, damaged.

#![expect(clippy::unwrap_used, reason = "a test stops where something fails")]

mod cut;
mod damage;
mod golden;
mod model;
mod source;
mod trips;
mod world;
