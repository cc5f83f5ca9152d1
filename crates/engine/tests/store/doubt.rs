//! A commit whose answer is lost on the way. PostgreSQL only: the same rows are offered again, and are written or
//! found, never twice.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use countersign_core::proposal::StateName;
use countersign_engine::fault::chain_text;
use countersign_engine::store::Store;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream, UnixStream};

use crate::steps::{self, Offers as _, world};
use crate::{Place, assert_sound};

/// Pass everything on.
const OPEN: u8 = 0;
/// Cut the connection when the next `COMMIT` comes, before it reaches the server.
const BEFORE: u8 = 1;
/// Cut it when the server has answered the next `COMMIT`, before the answer reaches the client.
const AFTER: u8 = 2;

/// A relay in front of the server's socket that loses what it is told to lose.
struct Relay {
    url: String,
    mode: Arc<AtomicU8>,
}

impl Relay {
    /// Between the store and the server of this place.
    #[expect(clippy::disallowed_methods, reason = "the relay runs beside the test and ends with it")]
    async fn start(place: &Place) -> Self {
        let (address, parameters) = place.url.split_once('?').unwrap();
        let socket = parameters.split('&').find_map(|p| p.strip_prefix("host=")).unwrap();
        let socket = format!("{socket}/.s.PGSQL.5432");
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let mode = Arc::new(AtomicU8::new(OPEN));
        let shared = Arc::clone(&mode);
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let server = UnixStream::connect(&socket).await.unwrap();
                tokio::spawn(relay(client, server, Arc::clone(&shared)));
            }
        });
        let url = address.replacen("@localhost/", &format!("@127.0.0.1:{port}/"), 1);
        Self { url: format!("{url}?sslmode=disable"), mode }
    }

    fn lose(&self, mode: u8) {
        self.mode.store(mode, Ordering::SeqCst);
    }
}

async fn relay(mut client: TcpStream, mut server: UnixStream, mode: Arc<AtomicU8>) {
    let (mut from_client, mut from_server) = (vec![0; 1 << 16], vec![0; 1 << 16]);
    let mut cut_at_answer = false;
    loop {
        tokio::select! {
            read = client.read(&mut from_client) => {
                let Ok(n @ 1..) = read else { return };
                let commits = from_client[..n].windows(7).any(|w| w == b"COMMIT\0");
                match mode.load(Ordering::SeqCst) {
                    BEFORE if commits => {
                        mode.store(OPEN, Ordering::SeqCst);
                        return;
                    }
                    AFTER if commits => {
                        mode.store(OPEN, Ordering::SeqCst);
                        cut_at_answer = true;
                    }
                    _ => {}
                }
                server.write_all(&from_client[..n]).await.unwrap();
            }
            read = server.read(&mut from_server) => {
                let Ok(n @ 1..) = read else { return };
                if cut_at_answer {
                    return;
                }
                if client.write_all(&from_server[..n]).await.is_err() {
                    return;
                }
            }
        }
    }
}

pub async fn a_commit_whose_answer_is_lost_is_written_once_and_known_a2(place: &Place) {
    if place.is_sqlite() {
        // A file whose commit failed cannot be asked.
        return;
    }
    place.store().await.close().await.unwrap();
    let relay = Relay::start(place).await;
    let store = Store::open(&relay.url, &world(90), steps::keys()).await;
    let store = store.unwrap_or_else(|e| panic!("{}", chain_text(&e)));
    let world = world(91);
    for lost in [BEFORE, AFTER] {
        let record = store.put(steps::ready(&world, "a")).await.unwrap().record;
        let id = record.proposal.id;
        relay.lose(lost);
        let sent = store.put(steps::dispatch(&world, &record)).await.unwrap();
        assert_eq!(sent.record.state.name(), StateName::Dispatched);
        assert!(sent.grant.is_some(), "it is known to be recorded");
        assert_eq!(store.history(id).await.unwrap().len(), 2, "once");
        relay.lose(lost);
        let opened = store.put(steps::pending(&world, "b", None, u64::from(lost))).await.unwrap().record;
        assert_eq!(store.proposal(opened.proposal.id).await.unwrap(), Some(opened.clone()));
        assert_eq!(store.history(opened.proposal.id).await.unwrap().len(), 1, "once");
    }
    assert_sound(&store).await;
}
