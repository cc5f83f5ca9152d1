//! Looking names up. The system's resolver cannot be interrupted, so each look-up holds a thread for as long as the
//! name server is silent, and there are few threads: one agent may use a share of them.

use std::net::{SocketAddr, ToSocketAddrs as _};

use countersign_core::limits;

use crate::bulkhead::{Bulkhead, Sizes};
use crate::party::Party;

const SIZES: Sizes = Sizes {
    agents: limits::LOOKUPS_OF_AGENTS_MAX,
    one_agent: limits::LOOKUPS_PER_AGENT_MAX,
    people: limits::LOOKUPS_OF_THE_GATE_MAX,
    one_person: limits::LOOKUPS_PER_AGENT_MAX,
    gate: limits::LOOKUPS_OF_THE_GATE_MAX,
};

/// Places for look-ups.
#[derive(Debug)]
pub(super) struct Lookups(Bulkhead);

impl Default for Lookups {
    fn default() -> Self {
        Self(Bulkhead::new(SIZES))
    }
}

impl Lookups {
    /// The addresses of a host. The place is given back when the resolver has answered, not when nobody waits any more.
    pub(super) async fn look_up(&self, host: String, port: u16) -> std::io::Result<Vec<SocketAddr>> {
        let closed = || std::io::Error::other("no names are looked up any more");
        let place = self.0.take(&Party::current()).await.ok_or_else(closed)?;
        let work = move || {
            let found = (host.as_str(), port).to_socket_addrs().map(Iterator::collect);
            drop(place);
            found
        };
        tokio::task::spawn_blocking(work).await.map_err(|_| closed())?
    }
}
