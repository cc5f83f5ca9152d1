//! Asking an issuer for its keys, through the engine's own client: address rules, no redirects, no proxies, a bounded
//! answer in bounded time. What an issuer answers is never repeated in a message.

use std::time::Duration;

use reqwest::header::{ACCEPT, CONNECTION, HeaderValue};
use reqwest::{Method, Request};
use serde::Deserialize;
use url::Url;
use zeroize::Zeroizing;

use super::keys::KeySet;
use super::spec::{IssuerSpec, confidential};
use crate::net::{self, Clients, Deadline};

/// Metadata have a few kilobytes, and keys with their certificates some more.
const ANSWER_BYTES_MAX: usize = 256 * 1024;
/// Time for all of it: who has no keys yet waits for this.
const WITHIN: Duration = Duration::from_secs(5);

/// RFC 8414 section 2, OpenID Connect Discovery section 3.
#[derive(Deserialize)]
struct ServerMetadata {
    issuer: String,
    jwks_uri: String,
}

/// The issuer's keys as they are now.
pub(super) async fn keys(clients: &Clients, spec: &IssuerSpec) -> Result<KeySet, String> {
    let deadline = Deadline::after(WITHIN);
    let place = match &spec.jwks {
        Some(place) => confidential(place).map_err(|why| format!("its address {why}"))?,
        None => discovered(clients, spec, deadline).await?,
    };
    let body = get(clients, (spec, place), deadline).await.map_err(|why| format!("its JWK set: {why}"))?;
    KeySet::read(&body).map_err(str::to_owned)
}

/// Where the issuer's metadata say that the keys are.
async fn discovered(clients: &Clients, spec: &IssuerSpec, deadline: Deadline) -> Result<Url, String> {
    let issuer = confidential(&spec.issuer).map_err(|why| format!("its address {why}"))?;
    let mut trouble = String::new();
    for place in metadata_at(&issuer) {
        match get(clients, (spec, place), deadline).await {
            Ok(body) => return keys_at(&body, spec),
            Err(why) => trouble = why,
        }
    }
    Err(format!("its metadata: {trouble}"))
}

fn keys_at(body: &[u8], spec: &IssuerSpec) -> Result<Url, String> {
    let found: ServerMetadata =
        serde_json::from_slice(body).map_err(|_| "its metadata are not those of RFC 8414".to_owned())?;
    // RFC 8414 section 3.3: otherwise one issuer could speak for another.
    if found.issuer != spec.issuer {
        return Err("its metadata name another issuer".to_owned());
    }
    confidential(&found.jwks_uri).map_err(|why| format!("the `jwks_uri` of its metadata {why}"))
}

/// The two places: RFC 8414 section 3 puts its name before the issuer's path, OpenID Connect behind it.
fn metadata_at(issuer: &Url) -> [Url; 2] {
    let path = issuer.path().trim_end_matches('/');
    let at = |path: String| {
        let mut url = issuer.clone();
        url.set_path(&path);
        url
    };
    [
        at(format!("/.well-known/oauth-authorization-server{path}")),
        at(format!("{path}/.well-known/openid-configuration")),
    ]
}

async fn get(
    clients: &Clients,
    (spec, url): (&IssuerSpec, Url),
    deadline: Deadline,
) -> Result<Zeroizing<Vec<u8>>, String> {
    let mut request = Request::new(Method::GET, url);
    request.headers_mut().insert(ACCEPT, HeaderValue::from_static("application/json"));
    // The next fetch is minutes away: a connection that was kept may be dead by then, and a fetch is not repeated.
    request.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    // Connections to an issuer are its own, apart from those that carry credentials (T72).
    let pool = format!("issuer:{}", spec.issuer);
    let response = clients.send(request, Some(&pool), deadline).await.map_err(|t| t.to_text().to_owned())?;
    let status = response.status().as_u16();
    let body = net::read(response, ANSWER_BYTES_MAX, deadline).await.map_err(|t| t.to_text().to_owned())?;
    if status == 200 { Ok(body) } else { Err(format!("status {status}")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metadata_are_looked_for_where_each_standard_puts_them() {
        for (issuer, expect) in [
            (
                "https://login.example",
                ["/.well-known/oauth-authorization-server", "/.well-known/openid-configuration"],
            ),
            (
                "https://login.example/",
                ["/.well-known/oauth-authorization-server", "/.well-known/openid-configuration"],
            ),
            (
                "https://login.example/realms/ops",
                [
                    "/.well-known/oauth-authorization-server/realms/ops",
                    "/realms/ops/.well-known/openid-configuration",
                ],
            ),
        ] {
            let found = metadata_at(&Url::parse(issuer).unwrap());
            assert_eq!(found.each_ref().map(Url::path), expect, "{issuer}");
        }
    }
}
