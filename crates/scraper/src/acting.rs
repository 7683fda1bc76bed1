//! How far this scraper has come in acting upon the membership.

use std::collections::BTreeMap;

use parking_lot::Mutex;

/// By which version of the membership the targets of each job are scraped; `None` before there were any jobs.
///
/// Others stop scraping what they give to this scraper once it says that it has it: hence it says so only when every target that
/// is its own has a loop.
#[derive(Debug, Default)]
pub(crate) struct Acting(Mutex<Option<BTreeMap<String, u64>>>);

impl Acting {
    /// There are these jobs from now on. Nothing is known of those that are new.
    pub(crate) fn set_jobs<'a>(&self, names: impl Iterator<Item = &'a String>) {
        let mut jobs = self.0.lock();
        let before = jobs.take().unwrap_or_default();
        *jobs = Some(names.map(|name| (name.clone(), before.get(name).copied().unwrap_or(0))).collect());
    }

    /// There is nothing to scrape for a job.
    pub(crate) fn forget_job(&self, name: &str) {
        if let Some(jobs) = self.0.lock().as_mut() {
            jobs.remove(name);
        }
    }

    /// Everything of a job that is this scraper's by that version of the membership has a loop.
    pub(crate) fn note(&self, job: &str, epoch: u64) {
        if let Some(noted) = self.0.lock().as_mut().and_then(|jobs| jobs.get_mut(job)) {
            *noted = epoch;
        }
    }

    /// The version by which all jobs are scraped, where `newest` is the newest that is known here; 0: none yet.
    pub(crate) fn epoch(&self, newest: u64) -> u64 {
        match &*self.0.lock() {
            Some(jobs) => jobs.values().copied().fold(newest, u64::min),
            None => 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_slowest_job_counts() {
        let (acting, names) = (Acting::default(), ["a".to_owned(), "b".to_owned()]);
        assert_eq!(acting.epoch(7), 0, "the jobs are not known yet");
        acting.set_jobs(names[..0].iter());
        assert_eq!(acting.epoch(7), 7, "there are none");
        acting.set_jobs(names[..1].iter());
        acting.note("a", 7);
        assert_eq!((acting.epoch(7), acting.epoch(6)), (7, 6));
        acting.set_jobs(names.iter());
        assert_eq!(acting.epoch(7), 0, "one is new");
        acting.note("b", 6);
        acting.note("c", 1);
        assert_eq!(acting.epoch(7), 6);
        acting.forget_job("b");
        assert_eq!(acting.epoch(7), 7);
    }
}
