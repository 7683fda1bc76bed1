//! Asking a list of requests.

use std::collections::BTreeMap;
use std::fmt;

use crate::compare::difference;
use crate::known::reason;
use crate::{Pair, Request};

/// What came of some requests.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    /// How many were asked.
    pub asked: usize,
    /// How many were answered alike.
    pub alike: usize,
    /// How many were answered differently for a reason that is known, by reason.
    pub known: BTreeMap<&'static str, usize>,
    /// The requests that were answered differently, with both answers.
    pub differences: Vec<String>,
}

/// Asks both servers all requests.
pub fn sweep(pair: &Pair, requests: &[Request]) -> Tally {
    let mut tally = Tally::default();
    for request in requests {
        tally.ask(pair, request);
    }
    tally
}

impl Tally {
    /// Asks one more.
    pub(crate) fn ask(&mut self, pair: &Pair, request: &Request) {
        let (expected, got) = pair.ask(request);
        self.asked += 1;
        match (difference(request, &expected, &got), reason(request, &expected, &got)) {
            (None, _) => self.alike += 1,
            (Some(_), Some(reason)) => *self.known.entry(reason).or_default() += 1,
            (Some(difference), None) => self.differences.push(format!("## {request}\n  {difference}")),
        }
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { asked, alike, known, differences } = self;
        let meant: usize = known.values().sum();
        writeln!(f, "{asked} requests: {alike} alike, {meant} different as is meant, {} different", differences.len())?;
        known.iter().try_for_each(|(reason, count)| writeln!(f, "{count:6} {reason}"))
    }
}
