//! Floods: what one client costs the others. While one agent, or somebody who is nobody, takes what it can get in one
//! of seven ways, another agent decides and a person looks at the inbox, both at a fixed rate. Beside the same in
//! quiet: how much slower, how many 503, how much memory.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Context as _, Result};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use crate::figure::Figure;
use crate::figures::Bench;
use crate::gatedir;
use crate::http::{Incoming, READ_BYTES};
use crate::load::{Answers, Load};
use crate::output;
use crate::process;
use crate::protocol::Bound;
use crate::stats::{Spread, float};
use crate::subject::{self, Gate, Prepared};

/// Agents of the gate: the first floods, the others decide.
const AGENTS: usize = 65;
/// Requests a second of the others, at either target.
const PER_SECOND: u32 = 40;
/// How long a flood runs before the others are measured.
const BEFORE: Duration = Duration::from_secs(2);
/// Open files that the largest flood needs.
const OPEN_FILES: u64 = 12_000;
/// Pieces of evidence, and bytes of each: together near the largest body.
const EVIDENCE: (usize, usize) = (8, 24 * 1024);

/// One way to flood.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    Forms,
    Hung,
    Streams,
    Lists,
    Denied,
    Invalid,
    DryRuns,
}

impl Way {
    const ALL: [Self; 7] =
        [Self::Forms, Self::Hung, Self::Streams, Self::Lists, Self::Denied, Self::Invalid, Self::DryRuns];

    const fn label(self) -> &'static str {
        match self {
            Self::Forms => "4096 forms that never end",
            Self::Hung => "4096 calls that hang",
            Self::Streams => "2000 streams",
            Self::Lists => "24 lists at once",
            Self::Denied => "denied proposals of 190 KB",
            Self::Invalid => "invalid proposals of 190 KB",
            Self::DryRuns => "dry runs of 190 KB",
        }
    }

    const fn connections(self) -> usize {
        match self {
            Self::Forms | Self::Hung => 4_096,
            Self::Streams => 2_000,
            Self::Lists => 24,
            Self::Denied | Self::Invalid | Self::DryRuns => 32,
        }
    }

    /// Whether each connection sends one request and holds on, instead of one after the other.
    const fn holds(self) -> bool {
        matches!(self, Self::Forms | Self::Hung | Self::Streams)
    }
}

/// What the others met.
#[derive(Debug, Clone, Copy)]
struct Met {
    decision_p99_us: f64,
    page_p99_us: f64,
    unavailable: u64,
    resident_kib: u64,
}

impl Bench {
    /// Every flood, each beside the same gate in quiet.
    pub(crate) fn floods(&self) -> Result<Vec<Figure>> {
        rlimit::increase_nofile_limit(OPEN_FILES).context("failed to raise the limit on open files")?;
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
        let hung = runtime.block_on(TcpListener::bind("127.0.0.1:0"))?;
        let address = hung.local_addr()?.to_string();
        // It accepts and says nothing.
        runtime.spawn(async move {
            let mut held = Vec::new();
            while let Ok((stream, _)) = hung.accept().await {
                held.push(stream);
            }
        });
        let mut figures = Vec::new();
        for way in Way::ALL {
            output::complain(&format!("flood: {}", way.label()));
            let prepared = Prepared::to_flood(&self.binary, &self.work, &self.echo, address.clone(), AGENTS)?;
            let mut gate = prepared.serve()?;
            let asked = requests(way, &mut gate)?;
            let quiet = self.others(&gate, 0)?;
            let stop = Arc::new(AtomicBool::new(false));
            let people = way == Way::Forms;
            let listener = if people { gate.listeners().1 } else { gate.listeners().0 }.to_owned();
            for n in 0..way.connections() {
                let (listener, stop) = (listener.clone(), Arc::clone(&stop));
                let request = asked.get(n.checked_rem(asked.len()).unwrap_or(0)).cloned().unwrap_or_default();
                runtime.spawn(flood(listener, request, (n, way.holds()), stop));
            }
            std::thread::sleep(BEFORE);
            let flooded = self.others(&gate, 1_000_000);
            stop.store(true, Ordering::Relaxed);
            figures.extend(compare(way, quiet, flooded?));
            drop(gate);
        }
        Ok(figures)
    }

    /// Decisions of other agents and pages of a person, at a fixed rate.
    fn others(&self, gate: &Gate, start: u64) -> Result<Met> {
        let targets = vec![gate.decide_as(1..AGENTS, start), gate.inbox()];
        let count = self.pace.segment.saturating_mul(2);
        let load = Load::open(targets, PER_SECOND, self.pace.warm, count);
        let [decisions, pages]: [Answers; 2] =
            load.run()?.try_into().ok().context("the generator gave other answers than asked for")?;
        let unavailable =
            |answers: &Answers| answers.errors.get(&503).copied().unwrap_or(0).saturating_add(answers.broken);
        Ok(Met {
            decision_p99_us: decisions.latency.p99_us,
            page_p99_us: pages.latency.p99_us,
            unavailable: unavailable(&decisions).saturating_add(unavailable(&pages)),
            resident_kib: process::usage(gate.id())?.resident_kib,
        })
    }
}

fn compare(way: Way, quiet: Met, flooded: Met) -> Vec<Figure> {
    let label = |what: &str| format!("{}: {what}", way.label());
    let times = |flooded: f64, quiet: f64| {
        Some(Spread::exact(flooded / quiet)).filter(|_| quiet > 0.0 && flooded > 0.0)
    };
    let millis =
        |quiet: f64, flooded: f64| format!("{:.1} ms beside {:.1} ms in quiet", flooded / 1e3, quiet / 1e3);
    let (three, two, none) = (Bound::AtMost(3.0), Bound::AtMost(2.0), Bound::AtMost(0.0));
    let memory = (float(flooded.resident_kib) / 1_024.0, float(quiet.resident_kib) / 1_024.0);
    vec![
        Figure::value(
            "F",
            label("another agent's decision p99"),
            times(flooded.decision_p99_us, quiet.decision_p99_us),
            "x",
            three,
        )
        .note(millis(quiet.decision_p99_us, flooded.decision_p99_us)),
        Figure::value(
            "F",
            label("a person's page p99"),
            times(flooded.page_p99_us, quiet.page_p99_us),
            "x",
            three,
        )
        .note(millis(quiet.page_p99_us, flooded.page_p99_us)),
        Figure::value(
            "F",
            label("503 or no answer for others"),
            Some(Spread::exact(float(flooded.unavailable))),
            "",
            none,
        ),
        Figure::value("F", label("resident memory"), times(memory.0, memory.1), "x", two)
            .note(format!("{:.0} MiB beside {:.0} MiB in quiet", memory.0, memory.1)),
    ]
}

/// The requests of a flood. `{c}` in one stands for the number of the connection.
fn requests(way: Way, gate: &mut Gate) -> Result<Vec<String>> {
    let key = gatedir::agent_key(0);
    let (agents, people) = (gate.listeners().0.to_owned(), gate.listeners().1.to_owned());
    let get =
        |path: &str| format!("GET {path} HTTP/1.1\r\nhost: {agents}\r\nauthorization: Bearer {key}\r\n\r\n");
    let post = |body: &str| {
        let length = body.replace("{c}", NUMBER).len();
        format!(
            "POST /v1/proposals HTTP/1.1\r\nhost: {agents}\r\nauthorization: Bearer {key}\r\n\
             content-type: application/json\r\ncontent-length: {length}\r\n\r\n{body}"
        )
    };
    let large = |action: &str, dry_run: bool| {
        let evidence = vec![serde_json::json!({ "title": "n", "body": "x".repeat(EVIDENCE.1) }); EVIDENCE.0];
        let evidence = serde_json::to_string(&evidence).unwrap_or_default();
        let more = format!(",\"evidence\":{evidence},\"dry_run\":{dry_run}}}");
        let body = subject::body(action, "{c}");
        body.strip_suffix('}').unwrap_or(&body).to_owned() + &more
    };
    Ok(match way {
        Way::Forms => vec![format!(
            "POST /sign-in HTTP/1.1\r\nhost: {people}\r\norigin: http://{people}\r\nsec-fetch-site: same-origin\r\n\
             content-type: application/x-www-form-urlencoded\r\ncontent-length: 100\r\n\r\nx"
        )],
        Way::Hung => vec![post(&subject::body(gatedir::HUNG, "{c}"))],
        Way::Streams => {
            let id = gate.parked_by_first(&subject::body(gatedir::PARKED, NUMBER))?;
            vec![get(&format!("/v1/proposals/{id}/events"))]
        }
        Way::Lists => {
            for n in 200_000_000_000_u64..200_000_000_200 {
                let body = large(gatedir::PARKED, false).replace("{c}", &n.to_string());
                gate.parked_by_first(&body)?;
            }
            vec![get("/v1/proposals?limit=200")]
        }
        Way::Denied => vec![post(&large(gatedir::DENIED, false))],
        Way::Invalid => {
            vec![post(&large(gatedir::EXECUTED, false).replace("\"amount\":4000", "\"amount\":\"no\""))]
        }
        Way::DryRuns => vec![post(&large(gatedir::EXECUTED, true))],
    })
}

/// A number of twelve digits, as long as every `{c}` is written.
const NUMBER: &str = "300000000000";

/// One connection of a flood: requests one after the other, or one that is held; made anew when it is closed.
async fn flood(listener: String, request: String, (n, holds): (usize, bool), stop: Arc<AtomicBool>) {
    let mut sent = 0_u64;
    let mut buffer = vec![0; READ_BYTES];
    while !stop.load(Ordering::Relaxed) {
        let Ok(mut stream) = TcpStream::connect(&listener).await else {
            tokio::time::sleep(Duration::from_millis(100)).await;
            continue;
        };
        let mut incoming = Incoming::default();
        loop {
            let number = u64::try_from(n).unwrap_or(0).saturating_mul(1_000_000).saturating_add(sent);
            let text = request.replace("{c}", &format!("{:012}", 300_000_000_000_u64.saturating_add(number)));
            sent = sent.saturating_add(1);
            if stream.write_all(text.as_bytes()).await.is_err() {
                break;
            }
            incoming.clear();
            let mut whole = false;
            while !whole && !stop.load(Ordering::Relaxed) {
                let read = tokio::time::timeout(Duration::from_millis(500), stream.read(&mut buffer)).await;
                match read {
                    Ok(Ok(count @ 1..)) if !holds => {
                        whole = !matches!(incoming.push(buffer.get(..count).unwrap_or_default()), Ok(None));
                    }
                    // Nothing came, or a part of an answer to a request that is held: it is waited for.
                    Err(_) | Ok(Ok(1..)) => {}
                    Ok(Ok(0) | Err(_)) => break,
                }
            }
            if !whole || stop.load(Ordering::Relaxed) {
                break;
            }
        }
        // A closed connection is not made anew faster than this: the flood is of one client, not of a network.
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_is_compared_with_the_same_gate_in_quiet() {
        let quiet =
            Met { decision_p99_us: 1_000.0, page_p99_us: 2_000.0, unavailable: 0, resident_kib: 30_720 };
        let flooded =
            Met { decision_p99_us: 4_000.0, page_p99_us: 4_000.0, unavailable: 2, resident_kib: 40_960 };
        let lines: Vec<String> =
            compare(Way::Streams, quiet, flooded).iter().map(ToString::to_string).collect();
        assert_eq!(
            lines,
            [
                "F 2000 streams: another agent's decision p99 4.00x aim<=3.00x MISSED, 33 % over (4.0 ms beside 1.0 ms in quiet)",
                "F 2000 streams: a person's page p99 2.00x aim<=3.00x met (4.0 ms beside 2.0 ms in quiet)",
                "F 2000 streams: 503 or no answer for others 2.00 aim<=0.00 MISSED by 2.00",
                "F 2000 streams: resident memory 1.33x aim<=2.00x met (40 MiB beside 30 MiB in quiet)",
            ]
        );
    }
}
