//! A verb that its caller polls for as long as the caller is there, and that goes on without it (T94).
//!
//! A task of its own for each verb would cost two wake-ups of another thread. So the verb is polled where it was
//! asked for; when the request's task is dropped half-way, the rest becomes a task then.

use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::runtime::Handle;

/// The verb panicked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("it panicked")]
pub(super) struct Panicked;

type Verb<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// See the module.
pub(super) struct Attended<T: Send + 'static> {
    /// None once it is over.
    verb: Option<Verb<T>>,
}

impl<T: Send + 'static> Attended<T> {
    pub(super) fn new(verb: impl Future<Output = T> + Send + 'static) -> Self {
        Self { verb: Some(Box::pin(verb)) }
    }
}

impl<T: Send + 'static> Future for Attended<T> {
    type Output = Result<T, Panicked>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let Some(verb) = self.verb.as_mut() else { return Poll::Ready(Err(Panicked)) };
        // A verb that panics must not take the connection of its caller with it. It is never polled again.
        let polled = std::panic::catch_unwind(AssertUnwindSafe(|| verb.as_mut().poll(cx)));
        match polled {
            Ok(Poll::Pending) => Poll::Pending,
            Ok(Poll::Ready(answer)) => {
                self.verb = None;
                Poll::Ready(Ok(answer))
            }
            Err(_) => {
                self.verb = None;
                Poll::Ready(Err(Panicked))
            }
        }
    }
}

impl<T: Send + 'static> Drop for Attended<T> {
    fn drop(&mut self) {
        let Some(verb) = self.verb.take() else { return };
        // Without a runtime the process is ending, and what was recorded is found at the next start.
        if let Ok(runtime) = Handle::try_current() {
            drop(runtime.spawn(async move {
                verb.await;
            }));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use tokio::sync::Notify;

    use super::*;

    #[tokio::test]
    async fn a_verb_whose_caller_went_away_is_finished_all_the_same_t94() {
        let (go_on, done) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
        let (wait, tell) = (Arc::clone(&go_on), Arc::clone(&done));
        let verb = Attended::new(async move {
            wait.notified().await;
            tell.notify_one();
        });
        assert!(tokio::time::timeout(Duration::from_millis(20), verb).await.is_err(), "its caller gives up");
        go_on.notify_one();
        tokio::time::timeout(Duration::from_secs(10), done.notified()).await.expect("it goes on");
    }

    #[tokio::test]
    async fn a_verb_is_polled_by_its_caller_and_a_panic_is_an_answer() {
        assert_eq!(Attended::new(async { 7 }).await, Ok(7));
        let here = std::thread::current().id();
        assert_eq!(Attended::new(async { std::thread::current().id() }).await, Ok(here));
        let bad: Attended<()> = Attended::new(async { std::panic::resume_unwind(Box::new("on purpose")) });
        assert_eq!(bad.await, Err(Panicked));
    }
}
