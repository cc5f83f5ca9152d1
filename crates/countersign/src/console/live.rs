//! Live pages: a stream of hints that something moved. A hint carries nothing, so it needs no check of who
//! may see what; the page asks again for what it shows.

use std::convert::Infallible;
use std::time::Duration;

use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse as _, Response};
use countersign_engine::gate::{Gate, StreamPlace};
use countersign_engine::store::Change;
use futures_util::stream::{self, Stream};
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;

use super::session::Visit;
use crate::surface::Problem;

/// A stream ends after this long. The browser opens it again, which asks for the session again (T47).
const LIFE: Duration = Duration::from_mins(10);
/// A hint comes at least this often: another process may have moved something.
const QUIET_MAX: Duration = Duration::from_secs(20);
/// After a hint this much time passes, however much moves.
const PAUSE: Duration = Duration::from_millis(500);

/// `GET /events`.
pub(super) fn events(visit: Visit) -> Response {
    match visit.app.gate.stream_place(&visit.viewer()) {
        Ok(place) => Sse::new(hints(visit.app.gate, place)).keep_alive(KeepAlive::default()).into_response(),
        Err(full) => Problem::from(full).into_response(),
    }
}

fn hints(gate: Gate, place: StreamPlace) -> impl Stream<Item = Result<Event, Infallible>> {
    let (changes, began) = (gate.changes(), gate.world().ticks());
    stream::unfold((gate, changes, place, false), move |(gate, mut changes, place, paused)| async move {
        let mut meanwhile = false;
        if paused {
            tokio::time::sleep(PAUSE).await;
            // The page may have looked before these, so they are worth a hint of their own.
            while changes.try_recv().is_ok() {
                meanwhile = true;
            }
        }
        let over = gate.world().ticks().saturating_sub(began) > LIFE;
        if over || !(meanwhile || moved(&mut changes).await) {
            return None;
        }
        let event = Event::default().event("changed").data("look again");
        Some((Ok(event), (gate, changes, place, true)))
    })
}

/// Waits for a change or for long enough; false when the gate is closing.
async fn moved(changes: &mut Receiver<Change>) -> bool {
    match tokio::time::timeout(QUIET_MAX, changes.recv()).await {
        Ok(Ok(_) | Err(RecvError::Lagged(_))) | Err(_) => true,
        Ok(Err(RecvError::Closed)) => false,
    }
}

#[cfg(test)]
mod tests {
    use countersign_core::id::ProposalId;
    use countersign_core::proposal::StateName;
    use tokio::sync::broadcast;

    use super::*;

    #[tokio::test]
    async fn a_change_wakes_a_page_and_so_does_missing_some() {
        let (sender, mut receiver) = broadcast::channel(1);
        let proposal = ProposalId::from_parts(1, [0; 10]);
        let change = Change { proposal, version: 1, state: StateName::Pending };
        sender.send(change).unwrap();
        assert!(moved(&mut receiver).await);
        sender.send(change).unwrap();
        sender.send(change).unwrap();
        assert!(moved(&mut receiver).await, "lagged");
        assert!(moved(&mut receiver).await, "the last one");
        drop(sender);
        assert!(!moved(&mut receiver).await);
    }
}
