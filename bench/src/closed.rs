//! The closed loop: so many connections, each of which sends its next request when it has its answer.
//!
//! One thread for all of them: the generator shares the machine with what it measures.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use crate::clock;
use crate::http::{Incoming, READ_BYTES};
use crate::load::{Answers, Load, Tally};
use crate::template::{Target, Template};

/// After so many requests without an answer in a row, a connection gives up: the server is gone.
const BROKEN_IN_A_ROW_MAX: u32 = 20;

#[derive(Debug)]
struct Plan {
    target: Target,
    template: Template,
    /// The next turn; shared, so that no two connections send the same number.
    turn: AtomicU64,
    turns: u64,
    count_from: Instant,
    count_until: Instant,
}

/// Runs the loop on the calling thread.
pub(crate) fn run(target: &Target, load: &Load, connections: usize) -> Result<Answers> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build()?;
    let begin = clock::now();
    let count_from = clock::after(begin, Duration::from_millis(load.warm_ms));
    let count_until = match load.requests {
        Some(_) => clock::after(begin, Duration::from_mins(10)),
        None => clock::after(count_from, Duration::from_millis(load.count_ms)),
    };
    let plan = Arc::new(Plan {
        target: target.clone(),
        template: Template::new(target)?,
        turn: AtomicU64::new(0),
        turns: load.requests.unwrap_or(u64::MAX),
        count_from,
        count_until,
    });
    let tally = runtime.block_on(async {
        let mut workers = JoinSet::new();
        for _ in 0..connections {
            workers.spawn(worker(Arc::clone(&plan)));
        }
        let mut all = Tally::default();
        while let Some(done) = workers.join_next().await {
            all.merge(&done.context("a connection's task failed")??);
        }
        anyhow::Ok(all)
    })?;
    let counted = match load.requests {
        Some(_) => begin.elapsed(),
        None => count_until.saturating_duration_since(count_from),
    };
    Ok(tally.answers(counted))
}

async fn worker(plan: Arc<Plan>) -> Result<Tally> {
    let mut tally = Tally::default();
    let mut stream = None;
    let mut incoming = Incoming::default();
    let (mut request, mut buffer) = (Vec::new(), vec![0; READ_BYTES]);
    let mut broken = 0_u32;
    loop {
        let begin = clock::now();
        let turn = plan.turn.fetch_add(1, Ordering::Relaxed);
        if begin >= plan.count_until || turn >= plan.turns {
            return Ok(tally);
        }
        plan.template.render(turn, &mut request);
        let status = exchange(&plan.target, &mut stream, &request, &mut incoming, &mut buffer).await;
        let end = clock::now();
        // What was under way when the time was up belongs to neither side of the line.
        let counted = begin >= plan.count_from && end <= plan.count_until;
        tally.add(&plan.target, status.as_ref().ok().copied(), end.saturating_duration_since(begin), counted);
        match status {
            Ok(_) => broken = 0,
            Err(error) => {
                stream = None;
                broken = broken.saturating_add(1);
                if broken >= BROKEN_IN_A_ROW_MAX {
                    return Err(error);
                }
            }
        }
    }
}

async fn exchange(
    target: &Target,
    stream: &mut Option<TcpStream>,
    request: &[u8],
    incoming: &mut Incoming,
    buffer: &mut [u8],
) -> Result<u16> {
    if stream.is_none() {
        let fresh = TcpStream::connect(&target.address).await.context("failed to connect")?;
        fresh.set_nodelay(true)?;
        *stream = Some(fresh);
    }
    let stream = stream.as_mut().context("the connection was lost")?;
    incoming.clear();
    stream.write_all(request).await?;
    loop {
        let count = stream.read(buffer).await?;
        if count == 0 {
            bail!("the server closed the connection before its answer was whole");
        }
        if let Some(status) = incoming.push(buffer.get(..count).unwrap_or_default())? {
            return Ok(status);
        }
    }
}
