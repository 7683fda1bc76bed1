//! What a head takes in memory.

/// What a head takes in memory, in bytes. What is mapped from files is not counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MemoryUse {
    /// Label texts, postings and the places of series.
    pub index: usize,
    /// Targets: their series, layouts and references.
    pub targets: usize,
    /// Samples that are not in a saved segment yet.
    pub samples: usize,
    /// Exemplars, and the labels of their series.
    pub exemplars: usize,
}

impl MemoryUse {
    /// All of it.
    pub fn total(&self) -> usize {
        self.index + self.targets + self.samples + self.exemplars
    }
}
