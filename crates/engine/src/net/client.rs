//! Builds clients, sends one request, reads one bounded answer. The only place that does.
//!
//! One client, and so one pool of connections, per origin and credential: a connection that carried one
//! credential never carries another (T72). What is checked is what is dialled: names are resolved here and
//! only checked addresses are handed to the dialler (T66).

use std::collections::HashMap;
use std::error::Error;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use countersign_core::limits;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::{Client, ClientBuilder, Request, Response, redirect, retry};
use tokio::time::{Instant, timeout_at};
use url::Url;
use zeroize::Zeroizing;

use super::address::{AddressRefused, NetworkPolicy};
use super::lookup::Lookups;

/// An idle connection is dropped before common servers drop it (Node: 5 s): a request that is written while
/// the upstream closes would end as `unknown`.
const IDLE: Duration = Duration::from_secs(4);
/// Origins come from manifests, so this is never reached; if it is, the pools start anew.
const CLIENTS_MAX: usize = 1_024;

/// Makes ring the TLS provider of this process, unless one was installed before. May be called often.
pub fn install_tls_provider() {
    // An error means that there is one already, which is all that is wanted.
    let _ = rustls::crypto::ring::default_provider().install_default();
}

/// Why there is no answer, or no whole answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Trouble {
    /// Nothing was sent: the address is not allowed.
    AddressRefused,
    /// Nothing was sent: no name, no connection, no TLS session.
    NotConnected,
    /// The connection broke after the request was on its way.
    Lost,
    /// What came is not HTTP.
    NotHttp,
    /// The answer began and was cut.
    Cut,
    /// The answer is larger than what may be kept.
    TooLarge,
    /// The answer is packed in a way that was not asked for.
    Encoded,
    /// Time is up.
    Late,
}

impl Trouble {
    /// For people; says nothing of what the other side sent.
    pub(crate) const fn to_text(self) -> &'static str {
        match self {
            Self::AddressRefused => "the address is not one this gate may call",
            Self::NotConnected => "no connection, or no TLS session",
            Self::Lost => "the connection broke before there was an answer",
            Self::NotHttp => "the answer is not HTTP",
            Self::Cut => "the answer was cut",
            Self::TooLarge => "the answer is too large",
            Self::Encoded => "the answer is compressed, which was not asked for",
            Self::Late => "no answer in time",
        }
    }
}

/// When a whole exchange must be over: from the first look at the name to the last byte of the answer.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Deadline {
    total: Duration,
    at: Instant,
}

impl Deadline {
    /// This long from now.
    pub(crate) fn after(total: Duration) -> Self {
        let now = Instant::now();
        Self { total, at: now.checked_add(total).unwrap_or(now) }
    }
}

/// All clients of one connector, by origin and credential.
#[derive(Debug, Clone)]
pub(crate) struct Clients(Arc<ClientInner>);

#[derive(Debug)]
struct ClientInner {
    policy: Arc<NetworkPolicy>,
    lookups: Arc<Lookups>,
    /// Owned here; a lock is held only to look up or insert, never across an await.
    pools: Mutex<HashMap<ClientKey, Client>>,
    /// Trusted beside the system's certificates. Empty outside tests.
    roots: Vec<reqwest::Certificate>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct ClientKey {
    origin: String,
    credential: Option<String>,
    connect_timeout: Duration,
}

impl Clients {
    pub(crate) fn new(policy: NetworkPolicy) -> Self {
        Self::with_roots(policy, Vec::new())
    }

    /// Trusts further certificates, beside the system's.
    #[cfg(test)]
    pub(crate) fn trusting(policy: NetworkPolicy, roots: Vec<reqwest::Certificate>) -> Self {
        Self::with_roots(policy, roots)
    }

    fn with_roots(policy: NetworkPolicy, roots: Vec<reqwest::Certificate>) -> Self {
        install_tls_provider();
        let (policy, lookups) = (Arc::new(policy), Arc::default());
        Self(Arc::new(ClientInner { policy, lookups, pools: Mutex::default(), roots }))
    }

    /// Sends one request once. The answer's body is still on its way; read it with [`read`].
    pub(crate) async fn send(
        &self,
        request: Request,
        credential: Option<&str>,
        deadline: Deadline,
    ) -> Result<Response, Trouble> {
        self.0.policy.check_literal(request.url()).map_err(|refused| {
            tracing::warn!(%refused, "an address was refused");
            Trouble::AddressRefused
        })?;
        let client = self.client(request.url(), credential, deadline)?;
        match timeout_at(deadline.at, client.execute(request)).await {
            Ok(Ok(response)) => Ok(response),
            Ok(Err(error)) => Err(trouble(&error)),
            Err(_elapsed) => Err(Trouble::Late),
        }
    }

    fn client(&self, url: &Url, credential: Option<&str>, deadline: Deadline) -> Result<Client, Trouble> {
        // Half of the whole time at most: then a host that swallows packets is "not connected, nothing sent"
        // and not an unclear timeout.
        let connect_timeout = deadline.total.div_f64(2.0).min(limits::CONNECT_TIMEOUT);
        let key = ClientKey {
            origin: url.origin().ascii_serialization(),
            credential: credential.map(str::to_owned),
            connect_timeout,
        };
        if let Some(client) = self.pools().get(&key) {
            return Ok(client.clone());
        }
        let client = self.build(url, connect_timeout).map_err(|error| {
            tracing::error!(error = %crate::fault::chain_text(&error), "no client can be built");
            Trouble::NotConnected
        })?;
        let mut pools = self.pools();
        if pools.len() >= CLIENTS_MAX {
            pools.clear();
        }
        Ok(pools.entry(key).or_insert(client).clone())
    }

    fn pools(&self) -> std::sync::MutexGuard<'_, HashMap<ClientKey, Client>> {
        self.0.pools.lock().unwrap_or_else(PoisonError::into_inner)
    }

    #[expect(clippy::disallowed_methods, reason = "this is the place that builds clients")]
    fn build(&self, url: &Url, connect_timeout: Duration) -> reqwest::Result<Client> {
        let port = url.port_or_known_default().unwrap_or(0);
        let builder = Client::builder()
            .redirect(redirect::Policy::none())
            .retry(retry::never())
            .no_proxy()
            .referer(false)
            .http1_only()
            .no_gzip()
            .no_brotli()
            .no_deflate()
            .no_zstd()
            .connect_timeout(connect_timeout)
            .pool_idle_timeout(IDLE)
            .dns_resolver(Resolver {
                policy: self.0.policy.clone(),
                port,
                lookups: Arc::clone(&self.0.lookups),
            });
        self.trust(builder, url.scheme() == "https").build()
    }

    fn trust(&self, builder: ClientBuilder, tls: bool) -> ClientBuilder {
        if !tls {
            // No redirect is followed, so this client never speaks TLS: do not read the system's certificates.
            return builder.tls_certs_only([]);
        }
        builder.tls_certs_merge(self.0.roots.iter().cloned())
    }
}

/// Reads an answer's body, all of it or nothing.
pub(crate) async fn read(
    mut response: Response,
    bytes_max: usize,
    deadline: Deadline,
) -> Result<Zeroizing<Vec<u8>>, Trouble> {
    // Nothing was said of accepting an encoding. Packed bytes could be neither scrubbed nor shown.
    if response
        .headers()
        .get_all("content-encoding")
        .iter()
        .any(|v| !v.as_bytes().eq_ignore_ascii_case(b"identity"))
    {
        return Err(Trouble::Encoded);
    }
    let mut body = Zeroizing::new(Vec::new());
    loop {
        match timeout_at(deadline.at, response.chunk()).await {
            Err(_elapsed) => return Err(Trouble::Late),
            Ok(Err(_)) => return Err(Trouble::Cut),
            Ok(Ok(None)) => return Ok(body),
            Ok(Ok(Some(chunk))) if body.len().saturating_add(chunk.len()) > bytes_max => {
                return Err(Trouble::TooLarge);
            }
            Ok(Ok(Some(chunk))) => body.extend_from_slice(&chunk),
        }
    }
}

/// The content type as sent; empty when there is none, or none that a person could read.
pub(crate) fn content_type(response: &Response) -> String {
    let value = response.headers().get("content-type").and_then(|v| v.to_str().ok());
    value.filter(|v| v.len() <= limits::LABEL_BYTES_MAX).unwrap_or_default().to_owned()
}

/// What an error says about whether anything was sent. Anything not known to be earlier counts as sent.
fn trouble(error: &reqwest::Error) -> Trouble {
    let mut next: Option<&(dyn Error + 'static)> = Some(error);
    let mut not_http = false;
    while let Some(cause) = next {
        if let Some(refused) = cause.downcast_ref::<AddressRefused>() {
            tracing::warn!(%refused, "an address was refused");
            return Trouble::AddressRefused;
        }
        not_http |= cause.downcast_ref::<hyper::Error>().is_some_and(hyper::Error::is_parse);
        next = cause.source();
    }
    if error.is_connect() || error.is_builder() {
        Trouble::NotConnected
    } else if not_http {
        Trouble::NotHttp
    } else {
        Trouble::Lost
    }
}

/// Resolves a name and hands on only what may be dialled.
struct Resolver {
    policy: Arc<NetworkPolicy>,
    /// The origin's port: a client serves one origin only.
    port: u16,
    lookups: Arc<Lookups>,
}

impl Resolve for Resolver {
    fn resolve(&self, name: Name) -> Resolving {
        let (policy, port) = (self.policy.clone(), self.port);
        let lookups = Arc::clone(&self.lookups);
        Box::pin(async move {
            let found = lookups.look_up(name.as_str().to_owned(), port).await?;
            Ok(permitted(&policy, found.into_iter())?)
        })
    }
}

/// The addresses that may be dialled; an error when there were some and none may.
fn permitted(
    policy: &NetworkPolicy,
    found: impl Iterator<Item = SocketAddr>,
) -> Result<Addrs, AddressRefused> {
    let (mut good, mut bad) = (Vec::new(), None);
    for address in found {
        match policy.check(address) {
            Ok(()) => good.push(address),
            Err(refused) => bad = Some(refused),
        }
    }
    match bad {
        Some(refused) if good.is_empty() => Err(refused),
        _ => Ok(Box::new(good.into_iter())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_many_answers_only_public_ones_are_dialled_t66() {
        let policy = NetworkPolicy::default();
        let dialled = |list: &[&str]| {
            let found: Vec<SocketAddr> = list.iter().map(|a| a.parse().unwrap()).collect();
            permitted(&policy, found.into_iter()).map(Iterator::collect::<Vec<_>>)
        };
        let public: SocketAddr = "93.184.215.14:443".parse().unwrap();
        assert_eq!(dialled(&["127.0.0.1:443", "93.184.215.14:443", "[::1]:443"]).unwrap(), [public]);
        assert!(dialled(&["127.0.0.1:443", "10.0.0.1:443"]).is_err());
        assert!(dialled(&[]).unwrap().is_empty());
    }
}
