//! How old an answer may be.

/// How old an answer may be. Clients choose it with the header `X-Read-Consistency`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Consistency {
    /// At most 250 ms: `bounded`.
    #[default]
    Bounded,
    /// It has everything that was acknowledged before the question: `strong`.
    Strong,
    /// However old, as long as a replica answers: `stale_ok`.
    StaleOk,
}

impl Consistency {
    /// The consistency with this name in the header.
    pub fn find(name: &str) -> Option<Self> {
        Some(match name {
            "bounded" => Self::Bounded,
            "strong" => Self::Strong,
            "stale_ok" => Self::StaleOk,
            _ => return None,
        })
    }
}
