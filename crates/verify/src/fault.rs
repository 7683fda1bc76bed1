//! What is said of damage.

/// Something that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The file, or the object.
    pub file: String,
    /// Where in it, in bytes, if that is known.
    pub offset: Option<u64>,
    /// What is wrong.
    pub what: String,
    /// What it comes to.
    pub means: String,
    /// What to do about it.
    pub mend: String,
}
