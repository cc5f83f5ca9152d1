//! What an operator does on the gate's own machine: keys for agents, sign-in links for people, tokens for auditors.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, bail};
use clap::{Args, Subcommand};
use countersign_core::directory::Role;
use countersign_engine::store::Store;
use countersign_engine::world::World;
use serde::Serialize;

use super::check::unusable;
use crate::config;
use crate::shell::{Client, DONE, Output, keep_session, write_new_private};
use crate::surface::auth;
use crate::wire::{Done, NewSession, SignInBody};

/// Arguments of `key`.
#[derive(Debug, Args)]
pub(super) struct Key {
    /// The agent, as `directory.toml` names it.
    agent: String,
    /// The gate directory.
    #[arg(default_value = ".")]
    dir: PathBuf,
    /// Write the key to this new file, which only you may read, instead of printing it.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

/// `person …`.
#[derive(Debug, Subcommand)]
pub(super) enum PersonCommand {
    /// Make a one-time sign-in link, on the gate's own machine.
    Link {
        /// The person, as `directory.toml` names them.
        person: String,
        /// The gate directory.
        #[arg(default_value = ".")]
        dir: PathBuf,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// Make a token with which a program reads the log's checkpoint and exports for an auditor or operator, and
    /// nothing else.
    Token {
        /// The person, as `directory.toml` names them.
        person: String,
        /// The gate directory.
        #[arg(default_value = ".")]
        dir: PathBuf,
        /// Write the token to this new file, which only you may read.
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
        /// Days for which it works.
        #[arg(long, default_value_t = 90, value_parser = clap::value_parser!(u32).range(1..=400))]
        days: u32,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// Revoke every such token of a person. It works at once, also beside a running gate.
    Revoke {
        /// The person. They need not be in `directory.toml` any more.
        person: String,
        /// The gate directory.
        #[arg(default_value = ".")]
        dir: PathBuf,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// Use a one-time link and keep the session for `list`, `show`, `approve` and the others.
    Login {
        /// The link, or `-` to read it from standard input.
        link: String,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// End the kept session.
    Logout {
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
}

/// What `key --json` prints.
#[derive(Debug, Serialize)]
struct KeyMade<'a> {
    agent: &'a str,
    /// The key, unless it was written to a file.
    key: Option<&'a str>,
    /// The file with the key.
    out: Option<&'a Path>,
    /// The file that got the key's digest.
    directory: &'a Path,
}

/// What `person … --json` prints.
#[derive(Debug, Default, Serialize)]
struct PersonDone<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    person: Option<&'a str>,
    /// The sign-in link.
    #[serde(skip_serializing_if = "Option::is_none")]
    url: Option<String>,
    /// The file with the token.
    #[serde(skip_serializing_if = "Option::is_none")]
    out: Option<&'a Path>,
    /// Until when the link or the token works (RFC 3339).
    #[serde(skip_serializing_if = "Option::is_none")]
    until: Option<String>,
    /// How many tokens were revoked.
    #[serde(skip_serializing_if = "Option::is_none")]
    revoked: Option<u64>,
}

pub(super) fn key(args: &Key, output: &mut Output) -> anyhow::Result<u8> {
    let json = args.json;
    let (_, ruleset, _) = match config::load(&args.dir) {
        Ok(loaded) => loaded,
        Err(problems) => return unusable(&problems, json, output),
    };
    if ruleset.directory.agent(&args.agent).is_none() {
        bail!("no agent `{}` in directory.toml; add `[agent.{}]` first", args.agent, args.agent);
    }
    let world = World::system();
    let key = auth::new_token(&world, auth::AGENT_KEY);
    let path = args.dir.join("directory.toml");
    let lines = format!(
        "\n[[agent.{}.key]]\nhash = \"{}\"\ncreated = \"{}\"\n",
        toml_key(&args.agent),
        auth::token_digest(&key),
        world.now().to_rfc3339(),
    );
    // Opened first, so that no key is left behind that the directory does not know.
    let failed = || format!("failed to write {}", path.display());
    let mut directory = std::fs::OpenOptions::new().append(true).open(&path).with_context(failed)?;
    match &args.out {
        Some(file) => write_new_private(file, &format!("{key}\n"))?,
        None if json => {}
        None => output.line(&key),
    }
    directory.write_all(lines.as_bytes()).with_context(failed)?;
    if json {
        let (agent, out) = (args.agent.as_str(), args.out.as_deref());
        let shown = out.is_none().then_some(key.as_str());
        output.json(&KeyMade { agent, key: shown, out, directory: &path })?;
    }
    let place = match &args.out {
        Some(file) => format!("the key is in {} and nowhere else", file.display()),
        None => "the key is shown once and kept nowhere".to_owned(),
    };
    output.error(&format!("{place}; its digest was added to {}", path.display()));
    output.error(
        "a running gate answers 401 to it until it is reloaded: kill -HUP \"$(pidof countersign)\", or \
         systemctl reload countersign",
    );
    Ok(DONE)
}

/// A name as a TOML key: quoted unless it is bare.
fn toml_key(name: &str) -> String {
    let bare = name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_');
    if bare { name.to_owned() } else { format!("\"{name}\"") }
}

pub(super) async fn person(args: &PersonCommand, output: &mut Output) -> anyhow::Result<u8> {
    match args {
        PersonCommand::Link { person, dir, json } => link(person, dir, *json, output).await,
        PersonCommand::Token { person, dir, out, days, json } => {
            token(person, dir, (out.as_path(), *days, *json), output).await
        }
        PersonCommand::Revoke { person, dir, json } => revoke(person, dir, *json, output).await,
        PersonCommand::Login { link, json } => login(link, *json, output).await,
        PersonCommand::Logout { json } => {
            Client::signed_in()?.post_nothing("/v1/sign-out").await?.good::<Done>()?;
            if *json {
                output.json(&PersonDone::default())?;
            } else {
                output.line("signed out");
            }
            Ok(DONE)
        }
    }
}

async fn link(person: &str, dir: &Path, json: bool, output: &mut Output) -> anyhow::Result<u8> {
    let (config, ruleset, _) = match config::load(dir) {
        Ok(loaded) => loaded,
        Err(problems) => return unusable(&problems, json, output),
    };
    if ruleset.directory.person(person).is_none_or(|p| p.disabled) {
        bail!("no active person `{person}` in directory.toml");
    }
    let world = World::system();
    let store = Store::open_beside(&config.store_url, &world, crate::serve::seal_keys(&config)?).await?;
    let token = auth::new_token(&world, auth::LINK);
    let now = world.now();
    store.add_link(&auth::token_digest(&token), person, (now, now.plus(auth::LINK_LIFE))).await?;
    store.close().await?;
    let base = config.people_url.unwrap_or(format!("http://{}", config.people));
    let url = format!("{base}/sign-in/{token}");
    if json {
        let until = Some(now.plus(auth::LINK_LIFE).to_rfc3339());
        output.json(&PersonDone { person: Some(person), url: Some(url), until, ..PersonDone::default() })?;
    } else {
        output.line(&url);
    }
    output.error("the link works once, for 15 minutes");
    Ok(DONE)
}

async fn token(
    person: &str,
    dir: &Path,
    (out, days, json): (&Path, u32, bool),
    output: &mut Output,
) -> anyhow::Result<u8> {
    let (config, ruleset, _) = match config::load(dir) {
        Ok(loaded) => loaded,
        Err(problems) => return unusable(&problems, json, output),
    };
    let Some(found) = ruleset.directory.person(person).filter(|p| !p.disabled) else {
        bail!("no active person `{person}` in directory.toml");
    };
    if !found.roles.contains(&Role::Auditor) && !found.roles.contains(&Role::Operator) {
        bail!("`{person}` may not read the log; give them the role `auditor` in directory.toml and reload");
    }
    let world = World::system();
    let store = Store::open_beside(&config.store_url, &world, crate::serve::seal_keys(&config)?).await?;
    let token = auth::new_token(&world, auth::LOG_TOKEN);
    write_new_private(out, &format!("{token}\n"))?;
    let (now, life) = (world.now(), Duration::from_hours(24).saturating_mul(days));
    if let Err(fault) = store.add_log_token(&auth::token_digest(&token), person, (now, now.plus(life))).await
    {
        // A token that is not recorded opens nothing.
        let _ = std::fs::remove_file(out);
        return Err(fault.into());
    }
    store.close().await?;
    let until = now.plus(life).to_rfc3339();
    if json {
        let (out, until) = (Some(out), Some(until));
        output.json(&PersonDone { person: Some(person), out, until, ..PersonDone::default() })?;
    } else {
        output.line(&format!("wrote {}; the token works until {until}", out.display()));
    }
    output.error(&format!("`countersign person revoke {person}` ends it earlier"));
    Ok(DONE)
}

async fn revoke(person: &str, dir: &Path, json: bool, output: &mut Output) -> anyhow::Result<u8> {
    let config = match config::load_config(dir) {
        Ok(config) => config,
        Err(problems) => return unusable(&problems, json, output),
    };
    let world = World::system();
    let store = Store::open_beside(&config.store_url, &world, crate::serve::seal_keys(&config)?).await?;
    let revoked = store.revoke_log_tokens(person, world.now()).await?;
    store.close().await?;
    if json {
        output.json(&PersonDone { person: Some(person), revoked: Some(revoked), ..PersonDone::default() })?;
        return Ok(DONE);
    }
    output.line(&match revoked {
        0 => format!("`{person}` has no token for the log"),
        1 => format!("1 token of `{person}` was revoked"),
        n => format!("{n} tokens of `{person}` were revoked"),
    });
    Ok(DONE)
}

async fn login(link: &str, json: bool, output: &mut Output) -> anyhow::Result<u8> {
    let mut text = link.to_owned();
    if link == "-" {
        text.clear();
        std::io::stdin().read_line(&mut text)?;
    }
    let (gate, token) = text.trim().rsplit_once("/sign-in/").context("that is not a sign-in link")?;
    // A link may say which page to open then; that is for browsers.
    let token = token.split('?').next().unwrap_or_default();
    let body = SignInBody { link: token.to_owned() };
    let signed_in: NewSession = Client::new(gate, "")?.post("/v1/sign-in", &body).await?.good()?;
    keep_session(gate, &signed_in.session)?;
    if json {
        output.json(&PersonDone { person: Some(&signed_in.person), ..PersonDone::default() })?;
    } else {
        output.line(&format!("signed in as {}", signed_in.person));
    }
    Ok(DONE)
}
