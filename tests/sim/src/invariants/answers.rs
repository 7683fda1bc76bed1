//! Acknowledged ⊆ readable ⊆ sent, and one value for each series and time.

use std::collections::BTreeMap;

use model::Labels;

use crate::Oracle;
use crate::oracle::Key;

/// Checks an answer; `all_there` what must be in it. Returns how many samples it has.
///
/// # Errors
/// What is wrong with it.
pub(crate) fn check_answer(
    oracle: &Oracle,
    answer: Vec<(Labels, Vec<(i64, f64)>)>,
    all_there: impl FnOnce(&BTreeMap<Key, f64>) -> Result<(), String>,
) -> Result<usize, String> {
    let mut read = BTreeMap::new();
    for (labels, samples) in answer {
        let number = |text: &str| text.parse::<u32>().map_err(|_| format!("nobody sent {labels}"));
        let series = number(labels.value("__name__").trim_start_matches('m'))?;
        let target = number(labels.value("instance"))?;
        let mut last = None;
        for (time, value) in samples {
            if last >= Some(time) {
                return Err(format!("{labels} has a sample at {time} after one at {last:?}"));
            }
            last = Some(time);
            if read.insert((target, series, time), value).is_some() {
                return Err(format!("{labels} comes twice, with a sample at {time} each"));
            }
        }
    }
    oracle.all_sent(&read)?;
    all_there(&read)?;
    Ok(read.len())
}
