//! Files that nobody reads are looked at now and again, so that damage is found while other replicas can still mend it.

use std::sync::Arc;
use std::time::Duration;

use head::Segment;
use stdx::CpuPool;

use crate::damage::Damage;
use crate::replica::Replica;

/// Verifies every segment of a replica once in so long, spread evenly over that time. For ever.
pub(crate) async fn scrub(replica: Arc<Replica>, every: Duration, reading: CpuPool, damage: Damage) {
    let clock = replica.clock().clone();
    loop {
        let (_, view) = replica.group.view().await;
        let segments: Vec<Arc<Segment>> = view.segments().cloned().collect();
        drop(view);
        let pause = every / segments.len().max(1) as u32;
        if segments.is_empty() {
            clock.sleep(pause).await;
        }
        for segment in segments {
            clock.sleep(pause).await;
            if let Err(error) = reading.run(move || segment.verify()).await {
                damage.note(replica.shard, &error.to_string());
            }
        }
    }
}
