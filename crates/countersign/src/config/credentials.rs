//! `[credential.…]`: where secrets come from, where they go, and whether they can serve the systems that name them.

use std::collections::BTreeMap;
use std::path::Path;

use countersign_core::action::Registry;
use countersign_core::problem::{Problem, SourceFile};
use countersign_engine::credential::{CredentialError, CredentialSpec, Credentials, Kind, Placement, Use};
use serde::Deserialize;

use super::FILE;

/// What to do about a setting that cannot work.
const REMEDY: &str = "Correct it: with this setting no call could be made.";

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct CredentialTable {
    origin: String,
    #[serde(rename = "use")]
    usage: String,
    from: Option<String>,
    oauth: Option<OAuthTable>,
    #[serde(rename = "as", default = "bearer")]
    placement: String,
}

fn bearer() -> String {
    "bearer".to_owned()
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct OAuthTable {
    token_url: String,
    client_id: String,
    client_secret: String,
    scopes: Vec<String>,
    resource: Option<String>,
}

/// What the other files may name, read leniently: a mistake elsewhere in `countersign.toml` must not make
/// everything that refers to it look wrong.
#[derive(Debug)]
pub(super) struct Declared {
    pub(super) environments: Vec<String>,
    /// Names of credentials to their `use` and `origin`, as they are written.
    credentials: BTreeMap<String, (String, String)>,
}

impl Declared {
    pub(super) fn read(dir: &Path) -> Option<Self> {
        let file: toml::Table = super::read(dir, FILE).ok()??.text.parse().ok()?;
        let text = |value: &toml::Value| value.as_str().map(ToOwned::to_owned);
        let environments = file.get("gate").and_then(|g| g.get("environments")?.as_array());
        let credentials = file.get("credential").and_then(|c| c.as_table());
        Some(Self {
            environments: environments.into_iter().flatten().filter_map(text).collect(),
            credentials: credentials
                .into_iter()
                .flatten()
                .map(|(name, table)| {
                    let key = |key| table.get(key).and_then(text).unwrap_or_default();
                    (name.clone(), (key("use"), key("origin")))
                })
                .collect(),
        })
    }
}

/// What a credential's table means, if it can work at all; else what is wrong, and what to do.
pub(super) fn spec(
    dir: &Path,
    name: &str,
    table: &CredentialTable,
) -> Result<CredentialSpec, (String, String)> {
    let spec = read(dir, table).map_err(|(message, remedy)| (message, remedy.to_owned()))?;
    match spec.check(name) {
        Ok(()) => Ok(spec),
        Err(error) => Err((error.detail, REMEDY.to_owned())),
    }
}

fn read(dir: &Path, table: &CredentialTable) -> Result<CredentialSpec, (String, &'static str)> {
    let usage = match table.usage.as_str() {
        "read" => Use::Read,
        "write" => Use::Write,
        other => return Err((format!("`use = \"{other}\"` is not known"), "Write `read` or `write`.")),
    };
    let placement = match table.placement.split_once(':') {
        None if table.placement == "bearer" => Placement::Bearer,
        None if table.placement == "basic" => Placement::Basic,
        Some(("header", name)) if !name.is_empty() => Placement::Header(name.to_owned()),
        _ => {
            return Err((
                format!("`as = \"{}\"` is not known", table.placement),
                "Write `bearer`, `basic` or `header:NAME`.",
            ));
        }
    };
    let kind = match (&table.from, &table.oauth) {
        (Some(from), None) => source(dir, from)?,
        (None, Some(oauth)) => Kind::OAuth {
            token_url: oauth.token_url.clone(),
            client_id: oauth.client_id.clone(),
            client_secret: Box::new(source(dir, &oauth.client_secret)?),
            scopes: oauth.scopes.clone(),
            resource: oauth.resource.clone(),
        },
        _ => return Err(("it needs either `from` or `oauth`".to_owned(), "Give it exactly one source.")),
    };
    let origin = table.origin.trim_end_matches('/').to_owned();
    Ok(CredentialSpec { origin, usage, kind, placement })
}

fn source(dir: &Path, text: &str) -> Result<Kind, (String, &'static str)> {
    match text.split_once(':') {
        Some(("env", var)) if !var.is_empty() => Ok(Kind::Env { var: var.to_owned() }),
        Some(("file", path)) if !path.is_empty() => Ok(Kind::File { path: dir.join(path) }),
        // The text may be a secret that somebody put here: it is not repeated.
        _ => Err((
            "the source is not known".to_owned(),
            "Write `env:NAME` or `file:PATH`; a secret never stands here.",
        )),
    }
}

/// Credentials that a system names and that cannot serve it: missing, for another use, for another origin.
pub(super) fn unfit(declared: &Declared, registry: &Registry, manifests: &[SourceFile]) -> Vec<Problem> {
    let mut found = Vec::new();
    for system in registry.systems() {
        for (usage, name) in [("read", &system.credential.read), ("write", &system.credential.write)] {
            let Some(name) = name else { continue };
            let message = match declared.credentials.get(name) {
                None => {
                    format!("system `{}` names credential `{name}`, which is not in {FILE}", system.name)
                }
                Some((declared, _)) if declared != usage => format!(
                    "system `{}` names credential `{name}` for `{usage}`, but in {FILE} it is not for that",
                    system.name
                ),
                Some((_, origin)) => match another_origin(origin, &system.base_url) {
                    Some(wanted) => format!(
                        "system `{}` is called at {wanted}, and credential `{name}` is for `{origin}` only",
                        system.name
                    ),
                    None => continue,
                },
            };
            let remedy = match declared.credentials.get(name) {
                Some((declared, _)) if declared == usage => {
                    format!(
                        "Correct `origin` of `[credential.{name}]` in {FILE}, or the system's `base_url`."
                    )
                }
                _ => format!("Add or correct `[credential.{name}]` in {FILE}, with `use = \"{usage}\"`."),
            };
            let quoted = format!("\"{name}\"");
            found.push(match manifests.iter().find(|f| f.text.contains(&quoted)) {
                Some(file) => file.error_at(&quoted, message, remedy),
                None => Problem::error(FILE, 0, message, remedy),
            });
        }
    }
    found
}

/// The origin that a base URL has, when it is not this one. What is no URL is reported elsewhere.
fn another_origin(origin: &str, base_url: &str) -> Option<String> {
    let is_web = |url: &url::Url| matches!(url.scheme(), "http" | "https");
    let of = |text: &str| url::Url::parse(text).ok().filter(is_web).map(|url| url.origin());
    let (given, wanted) = (of(origin)?, of(base_url)?);
    (given != wanted).then(|| wanted.ascii_serialization())
}

/// Credentials whose secret cannot be read as things are: an unset variable, a missing file, one that others may read.
pub(crate) async fn unusable(dir: &Path, credentials: &Credentials) -> Vec<Problem> {
    let text = super::read(dir, FILE).ok().flatten();
    let problem = |error: CredentialError| {
        let table = format!("[credential.{}]", error.name);
        let remedy = "Make its secret readable for the gate alone; on a machine without secrets use \
                      `check --without-secrets`.";
        match &text {
            Some(file) => file.error_at(&table, error.to_string(), remedy),
            None => Problem::error(FILE, 0, error.to_string(), remedy),
        }
    };
    credentials.check().await.into_iter().map(problem).collect()
}
