//! What a query may use, and whether anybody still wants its answer.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use crate::QueryError;

/// The memory that one query may have, in bytes: labels, chunks, matrices, histograms, in every hop. Clones share it.
///
/// What is charged is given back when the charge is dropped, wherever in the process that happens.
#[derive(Clone)]
pub struct Budget(Arc<Account>);

struct Account {
    limit: u64,
    used: AtomicU64,
    peak: AtomicU64,
}

impl Budget {
    /// A budget of so many bytes.
    pub fn new(limit_bytes: u64) -> Self {
        Self(Arc::new(Account { limit: limit_bytes, used: AtomicU64::new(0), peak: AtomicU64::new(0) }))
    }

    /// A budget that is never exceeded, for tests and tools.
    pub fn unlimited() -> Self {
        Self::new(u64::MAX)
    }

    /// Takes so many bytes until the charge is dropped.
    ///
    /// # Errors
    /// [`QueryError::OverBudget`], which says that `what` was too big, if there are not so many left.
    pub fn charge(&self, bytes: u64, what: impl FnOnce() -> String) -> Result<Charge, QueryError> {
        let mut charge = Charge { budget: self.clone(), bytes: 0 };
        charge.grow(bytes, what)?;
        Ok(charge)
    }

    /// What is in use now, in bytes.
    pub fn used(&self) -> u64 {
        self.0.used.load(Ordering::Relaxed)
    }

    /// The most that was in use at once, in bytes.
    pub fn peak(&self) -> u64 {
        self.0.peak.load(Ordering::Relaxed)
    }

    /// What may be in use, in bytes.
    pub fn limit(&self) -> u64 {
        self.0.limit
    }
}

impl fmt::Debug for Budget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Budget({} of {})", self.used(), self.limit())
    }
}

/// Bytes taken from a budget; given back when dropped.
#[derive(Debug)]
pub struct Charge {
    budget: Budget,
    bytes: u64,
}

impl Charge {
    /// Takes so many bytes more.
    ///
    /// # Errors
    /// As [`Budget::charge`]; the charge is then what it was.
    pub fn grow(&mut self, bytes: u64, what: impl FnOnce() -> String) -> Result<(), QueryError> {
        let account = &self.budget.0;
        let used = account.used.fetch_add(bytes, Ordering::Relaxed).saturating_add(bytes);
        if used > account.limit {
            account.used.fetch_sub(bytes, Ordering::Relaxed);
            return Err(QueryError::OverBudget { limit_bytes: account.limit, what: what() });
        }
        account.peak.fetch_max(used, Ordering::Relaxed);
        self.bytes += bytes;
        Ok(())
    }

    /// How many bytes are taken.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Takes more or gives back, so that so many bytes are taken.
    ///
    /// # Errors
    /// As [`Budget::charge`]; the charge is then what it was.
    pub fn resize(&mut self, bytes: u64, what: impl FnOnce() -> String) -> Result<(), QueryError> {
        if bytes > self.bytes {
            return self.grow(bytes - self.bytes, what);
        }
        self.shrink(self.bytes - bytes);
        Ok(())
    }

    /// Gives back so many bytes, or all if there are fewer.
    pub fn shrink(&mut self, bytes: u64) {
        let bytes = bytes.min(self.bytes);
        self.bytes -= bytes;
        self.budget.0.used.fetch_sub(bytes, Ordering::Relaxed);
    }
}

impl Drop for Charge {
    fn drop(&mut self) {
        self.shrink(self.bytes);
    }
}

/// Tells work that runs outside the async runtime that nobody waits for it any more. Clones share it.
#[derive(Clone, Debug, Default)]
pub struct Cancel(Arc<AtomicBool>);

impl Cancel {
    /// Not cancelled yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// From now on [`Cancel::check`] fails.
    pub fn cancel(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// Whether to go on. Cheap: ask it once in a few thousand samples.
    ///
    /// # Errors
    /// [`QueryError::Canceled`] once it was cancelled.
    pub fn check(&self, during: &'static str) -> Result<(), QueryError> {
        if self.0.load(Ordering::Relaxed) { Err(QueryError::Canceled { during }) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn charges_are_given_back() {
        let budget = Budget::new(100);
        let mut first = budget.charge(60, String::new).unwrap();
        let refused = budget.charge(50, || "up".to_owned()).map(drop);
        assert_eq!(refused, Err(QueryError::OverBudget { limit_bytes: 100, what: "up".to_owned() }));
        first.shrink(20);
        let second = budget.charge(50, String::new).unwrap();
        assert_eq!((budget.used(), budget.peak()), (90, 90));
        drop(first);
        drop(second);
        assert_eq!((budget.used(), budget.peak()), (0, 90));
    }
}
