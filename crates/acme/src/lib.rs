//! Acme: the small shop behind the demo and the first example: customers, notes, invoices, refunds.
//!
//! It is an ordinary HTTP service in a process of its own with a database of its own, and it knows nothing of
//! the gate: it answers whoever brings a bearer token with the right scope, and only the gate can get one.
//! It listens on loopback only and must never be used for real customers. [`serve`] runs it; nothing else of it
//! can be reached but over HTTP.

mod book;
mod clients;
mod customers;
mod digest;
mod http;
mod invoices;
mod journal;
mod ledger;
mod notes;
mod oauth;
mod problem;
mod refunds;
mod routes;
mod seed;
mod shop;
mod tokens;
mod world;

#[cfg(test)]
mod tests;

use std::future::Future;
use std::io::{self, Write};
use std::net::Ipv4Addr;
use std::path::PathBuf;

use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::oneshot;

use crate::clients::Clients;
use crate::ledger::Ledger;
use crate::shop::Shop;
use crate::world::World;

/// How to run the shop, as arguments of a command.
#[derive(Debug, Clone, clap::Args)]
pub struct AcmeArgs {
    /// Port on 127.0.0.1; 0 takes a free one.
    #[arg(long, default_value_t = 0)]
    pub port: u16,
    /// Directory of the shop's database; made when it is missing.
    #[arg(long, value_name = "DIR")]
    pub data: PathBuf,
    /// File with one line `CLIENT:SECRET` for each of `gate-read` and `gate-write`, readable by its owner only.
    #[arg(long, value_name = "FILE")]
    pub client_secret_file: PathBuf,
    /// Stop when standard input ends, so that the shop never outlives the process that started it.
    #[arg(long)]
    pub stop_with_stdin: bool,
}

/// Why the shop did not start, or stopped.
#[derive(Debug, thiserror::Error)]
pub enum AcmeError {
    /// The file of client secrets is unusable.
    #[error("the client secrets in `{path}`: {detail}")]
    Secrets {
        /// As it was given.
        path: String,
        /// What is wrong, and what to do.
        detail: String,
    },
    /// The database cannot be used as it is.
    #[error("the journal `{path}`: {detail}")]
    Journal {
        /// The file.
        path: String,
        /// What is wrong, and what to do.
        detail: String,
    },
    /// A file could not be read, written or locked.
    #[error("to {doing} `{path}`")]
    File {
        /// A verb.
        doing: &'static str,
        /// The file.
        path: String,
        /// The system's answer.
        #[source]
        source: io::Error,
    },
    /// The network or the ready line failed.
    #[error("to {doing}")]
    Io {
        /// What was tried.
        doing: &'static str,
        /// The system's answer.
        #[source]
        source: io::Error,
    },
}

/// Runs the shop as its own process does: the real clock, standard output, and until it is told to stop.
pub async fn serve(args: &AcmeArgs) -> Result<(), AcmeError> {
    let stop = told_to_stop(args.stop_with_stdin)?;
    run(args, World::system(), &mut io::stdout(), stop).await
}

/// SIGTERM, an interrupt from the keyboard or, if asked for, the end of standard input.
fn told_to_stop(watch_stdin: bool) -> Result<impl Future<Output = ()> + Send + 'static, AcmeError> {
    let failed = |source| AcmeError::Io { doing: "wait for signals", source };
    let mut terminate = signal(SignalKind::terminate()).map_err(failed)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(failed)?;
    let (ended, end) = oneshot::channel::<()>();
    // Kept by the reader, or else by the future: the end comes when it is dropped.
    let mut ended = Some(ended);
    if watch_stdin {
        let ended = ended.take();
        // A thread of its own: tokio's blocking pool would wait for this read before the process may end.
        std::thread::spawn(move || {
            let _ = io::copy(&mut io::stdin(), &mut io::sink());
            drop(ended);
        });
    }
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
            _ = end => {}
        }
        drop(ended);
    })
}

/// Serves until `stop` is done. Writes `acme listening on http://127.0.0.1:PORT` to `ready` once it answers.
async fn run<W: Write>(
    args: &AcmeArgs,
    world: World,
    ready: &mut W,
    stop: impl Future<Output = ()> + Send + 'static,
) -> Result<(), AcmeError> {
    let clients = Clients::load(&args.client_secret_file)?;
    let ledger = Ledger::open(&args.data)?;
    let router = routes::router(Shop::new(world, clients, ledger));
    let io = |doing: &'static str| move |source| AcmeError::Io { doing, source };

    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, args.port)).await.map_err(io("listen"))?;
    let address = listener.local_addr().map_err(io("listen"))?;
    writeln!(ready, "acme listening on http://{address}").map_err(io("say that it is ready"))?;
    ready.flush().map_err(io("say that it is ready"))?;
    axum::serve(listener, router).with_graceful_shutdown(stop).await.map_err(io("serve"))
}
