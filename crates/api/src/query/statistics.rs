//! What a query took, as JSON.

use engine::Statistics;
use model::Timestamp;

use crate::json::Json;

/// How much is shown of what a query took.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shown {
    Nothing,
    Totals,
    /// Also how many samples each step took.
    WithSteps,
}

/// Writes the member `stats`, if anything is to be shown.
pub(crate) fn write_statistics(json: &mut Json, statistics: &Statistics, shown: Shown) {
    if shown == Shown::Nothing {
        return;
    }
    let timings = statistics.timings;
    json.key("stats").object(|json| {
        json.key("timings").object(|json| {
            json.member("evalTotalTime", timings.eval_total.as_secs_f64());
            json.member("resultSortTime", timings.result_sort.as_secs_f64());
            json.member("queryPreparationTime", timings.query_preparation.as_secs_f64());
            json.member("innerEvalTime", timings.inner_eval.as_secs_f64());
            json.member("execQueueTime", timings.exec_queue.as_secs_f64());
            json.member("execTotalTime", timings.exec_total.as_secs_f64());
        });
        json.key("samples").object(|json| {
            write_steps(json, "totalQueryableSamplesPerStep", &statistics.queryable_samples_by_step, shown);
            json.member("totalQueryableSamples", statistics.queryable_samples);
            write_steps(json, "samplesReadPerStep", &statistics.samples_read_by_step, shown);
            json.member("samplesRead", statistics.samples_read);
            json.member("peakSamples", statistics.peak_samples);
        });
    });
}

fn write_steps(json: &mut Json, key: &'static str, steps: &[(i64, u64)], shown: Shown) {
    if shown != Shown::WithSteps || steps.is_empty() {
        return;
    }
    json.key(key).open_array();
    for (time, count) in steps {
        json.open_array();
        json.short_time(Timestamp(*time));
        json.integer(*count);
        json.close_array();
    }
    json.close_array();
}
