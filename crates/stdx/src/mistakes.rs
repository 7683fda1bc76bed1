//! Mistakes on purpose.

/// Whether the mistake of this name is to be made now.
///
/// Always false, and compiled away, unless this crate is built with the feature `mistakes`. Then a simulator can have one
/// made, on its own thread, to show that it would be noticed.
#[cfg(not(feature = "mistakes"))]
#[inline(always)]
pub const fn makes_mistake(_name: &str) -> bool {
    false
}

#[cfg(feature = "mistakes")]
mod made {
    use std::cell::Cell;

    thread_local! {
        static MADE: Cell<&'static str> = const { Cell::new("") };
    }

    /// From now on this mistake is made on this thread; empty: none.
    pub fn make_mistake(name: &'static str) {
        MADE.set(name);
    }

    /// Whether the mistake of this name is to be made now.
    pub fn makes_mistake(name: &str) -> bool {
        MADE.get() == name
    }
}

#[cfg(feature = "mistakes")]
pub use made::{make_mistake, makes_mistake};
