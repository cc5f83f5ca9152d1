//! Starting and stopping the gate process.

use std::path::Path;
use std::sync::Arc;

use anyhow::{Context as _, bail};
use axum::middleware::from_fn_with_state;
use countersign_core::audit::LogKey;
use countersign_core::ruleset::Ruleset;
use countersign_engine::connector::HttpConnector;
use countersign_engine::credential::Credentials;
use countersign_engine::fault::Stop;
use countersign_engine::gate::{Gate, Parts, Supervisor};
use countersign_engine::seal::SealKeys;
use countersign_engine::store::{Store, Witness};
use countersign_engine::token::Issuers;
use countersign_engine::world::World;
use tokio::net::TcpListener;
use tokio::signal::unix::{Signal, SignalKind, signal};
use zeroize::Zeroizing;

use crate::config::Config;
use crate::console;
use crate::http::{self, Hosts};
use crate::listen;
use crate::mcp;
use crate::surface::App;

/// A gate with its two listeners, bound and not yet answering.
#[derive(Debug)]
pub(crate) struct Bound {
    gate: Gate,
    supervisor: Supervisor,
    agents: TcpListener,
    people: TcpListener,
    metrics: Option<TcpListener>,
    config: Config,
    issuers: Issuers,
    people_url: String,
    hangup: Signal,
}

impl Bound {
    /// Opens everything that serving needs. Nothing is created: `countersign init` does that.
    pub(crate) async fn open(mut config: Config, ruleset: Ruleset) -> anyhow::Result<Self> {
        countersign_engine::net::install_tls_provider();
        // Before anybody can know that there is a process to signal: without a handler the signal ends it.
        let hangup = signal(SignalKind::hangup())?;
        listen::raise_open_files();
        let agents = bind("[listen] agents", config.agents).await?;
        let people = bind("[listen] people", config.people).await?;
        let metrics = match config.metrics {
            Some(address) => Some(bind("[metrics] listen", address).await?),
            None => None,
        };
        let own = [Some(&agents), Some(&people), metrics.as_ref()].into_iter().flatten();
        config.networks.own = own.map(TcpListener::local_addr).collect::<Result<_, _>>()?;
        let networks = &config.networks;
        let credentials = Credentials::new(config.credentials.clone(), networks.clone());
        for problem in crate::config::unusable(&config.dir, &credentials).await {
            tracing::warn!("{problem} Until then, what needs it fails.");
        }
        let world = World::system();
        let specs = config.issuers.values().cloned().collect();
        let issuers = Issuers::new(specs, networks.clone(), world.clone());
        let store = Store::open(&config.store_url, &world, seal_keys(&config)?).await?;
        let parts = Parts {
            log_key: read_key(&config.origin, &config.key_file)?,
            credentials,
            connector: HttpConnector::new(networks.clone()),
            witness: Witness::open(&config.witness_file(), &config.origin)?,
            world,
            store,
            ruleset,
            limits: config.limits,
        };
        let (gate, supervisor) = Gate::start(parts).await.map_err(stopped)?;
        let people_url = config.people_url.clone().unwrap_or(format!("http://{}", people.local_addr()?));
        Ok(Self { gate, supervisor, agents, people, metrics, config, issuers, people_url, hangup })
    }

    /// Where agents connect.
    pub(crate) fn agents_url(&self) -> anyhow::Result<String> {
        Ok(format!("http://{}", self.agents.local_addr()?))
    }

    /// Where people connect.
    pub(crate) fn people_url(&self) -> &str {
        &self.people_url
    }

    /// Where metrics are read, when they are.
    pub(crate) fn metrics_url(&self) -> anyhow::Result<Option<String>> {
        let address = self.metrics.as_ref().map(TcpListener::local_addr).transpose()?;
        Ok(address.map(|address| format!("http://{address}/metrics")))
    }

    /// The gate, for what starts with it.
    pub(crate) fn gate(&self) -> &Gate {
        &self.gate
    }

    /// Answers until `stop` resolves, then finishes what is under way. SIGHUP loads the gate directory again.
    pub(crate) async fn serve(self, stop: impl Future<Output = ()>) -> anyhow::Result<()> {
        let Self { gate, supervisor, agents, people, metrics, config, issuers, people_url, hangup } = self;
        let people_address = Arc::from(people_url.as_str());
        let app = App { gate: gate.clone(), issuers: issuers.clone(), people_url: people_address };
        let mut extra = config.hosts.clone();
        extra.extend(url::Url::parse(&people_url).ok().and_then(|u| {
            let host = u.host_str()?.to_owned();
            Some(u.port().map_or(host.clone(), |p| format!("{host}:{p}")))
        }));
        let for_agents =
            http::for_agents(&app, mcp::router(&app), Hosts::new(agents.local_addr()?, &config.hosts));
        let for_people = http::for_people(&app, console::router(), Hosts::new(people.local_addr()?, &extra));
        // Around everything else, so that no problem reaches a browser as JSON.
        let for_people = for_people.layer(from_fn_with_state(app.clone(), console::pages_for_browsers));
        let for_metrics = match metrics {
            Some(listener) => {
                let hosts = Hosts::new(listener.local_addr()?, &config.hosts);
                Some((listener, http::for_metrics(gate.clone(), hosts)))
            }
            None => None,
        };
        let (stopping, stopped_by) = tokio::sync::watch::channel(false);
        let metered = async {
            if let Some((listener, router)) = for_metrics {
                listen::answer(listener, router, listen::METRICS_MAX, stopped_by.clone()).await;
            }
        };
        let listening = async {
            tokio::join!(
                metered,
                listen::answer(agents, for_agents, listen::AGENTS_MAX, stopped_by.clone()),
                listen::answer(people, for_people, listen::PEOPLE_MAX, stopped_by.clone()),
            );
        };
        let reloading = crate::reload::at_every(hangup, (gate.clone(), issuers), config);
        let end = async {
            tokio::select! {
                () = reloading => {}
                () = stop => {}
            }
            let _ = stopping.send(true);
        };
        tokio::join!(listening, end);
        tracing::info!("stopping: no new work, waiting for calls under way");
        supervisor.shut_down().await.map_err(stopped)?;
        gate.close().await?;
        Ok(())
    }
}

/// A clean stop of the engine as an error with its causes.
pub(crate) fn stopped(stop: Stop) -> anyhow::Error {
    match stop {
        Stop::Refused(refusal) => anyhow::Error::new(refusal),
        Stop::Fault(fault) => anyhow::Error::new(fault),
    }
}

/// Listens on the address of a setting.
async fn bind(setting: &str, address: std::net::SocketAddr) -> anyhow::Result<TcpListener> {
    TcpListener::bind(address).await.with_context(|| {
        format!(
            "failed to listen on {address}, which is `{setting}` in countersign.toml: stop what listens there, or name \
             another address"
        )
    })
}

/// The log's private key.
pub(crate) fn read_key(origin: &str, path: &Path) -> anyhow::Result<LogKey> {
    Ok(LogKey::from_seed(origin, &*secret_key("the log's key", path)?)?)
}

/// The keys that seal what is stored.
pub(crate) fn seal_keys(config: &Config) -> anyhow::Result<SealKeys> {
    let read = |path: &std::path::PathBuf| secret_key("the record key", path);
    let old = config.old_record_key_files.iter().map(read).collect::<anyhow::Result<Vec<_>>>()?;
    Ok(SealKeys::new(&config.origin, read(&config.record_key_file)?, old))
}

/// A private key: 64 hexadecimal digits in a file that only its owner may read.
fn secret_key(what: &str, path: &Path) -> anyhow::Result<Zeroizing<[u8; 32]>> {
    use std::os::unix::fs::PermissionsExt as _;
    let mode = std::fs::metadata(path)
        .with_context(|| format!("failed to read {what} {}; run `countersign init`", path.display()))?
        .permissions()
        .mode();
    if mode & 0o077 != 0 {
        bail!("{what} {} may be read by others; run `chmod 600` on it", path.display());
    }
    let text = Zeroizing::new(std::fs::read_to_string(path)?);
    let digits = text.trim().as_bytes();
    let (pairs, rest) = digits.as_chunks::<2>();
    let mut key = Zeroizing::new([0_u8; 32]);
    let wrong = || anyhow::anyhow!("{what} {} is not 64 hexadecimal digits", path.display());
    if pairs.len() != key.len() || !rest.is_empty() || !digits.iter().all(u8::is_ascii_hexdigit) {
        return Err(wrong());
    }
    for (byte, pair) in key.iter_mut().zip(pairs) {
        let text = std::str::from_utf8(pair).map_err(|_| wrong())?;
        *byte = u8::from_str_radix(text, 16).map_err(|_| wrong())?;
    }
    Ok(key)
}
