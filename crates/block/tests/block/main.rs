//! Blocks as their users see them: written, read back, damaged.

mod damage;
mod golden;
mod model;
mod source;
mod trips;
mod world;
