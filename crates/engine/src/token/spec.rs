//! What the operator says of an authorization server: values and their check.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use url::{Host, Url};

use super::jws::Algorithm;
use crate::net::{NetworkPolicy, is_confidential};

/// Claims that say something else than which agent it is.
const NO_NAMES: [&str; 6] = ["iss", "aud", "exp", "nbf", "iat", "jti"];
/// Bytes of an issuer, an audience or the name of a claim.
const TEXT_BYTES_MAX: usize = 255;

/// One authorization server whose tokens agents may present.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IssuerSpec {
    /// Its `iss`, letter for letter: https, or http on loopback.
    pub issuer: String,
    /// What a token must carry as its only `aud`: this gate's name at the issuer.
    pub audience: String,
    /// How its tokens may be signed.
    pub algorithms: Vec<Algorithm>,
    /// Where its keys are. None: where its metadata say (RFC 8414, OpenID Connect Discovery).
    pub jwks: Option<String>,
    /// The claim that names the agent.
    pub claim: String,
    /// Values of the claim to names in the directory; no others are accepted. None: the value is the name.
    pub agents: Option<BTreeMap<String, String>>,
}

/// What cannot work in an [`IssuerSpec`], and at which of its settings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IssuerFault {
    /// The setting.
    pub setting: &'static str,
    /// What is wrong with it: a lower-case fragment.
    pub detail: String,
}

impl IssuerSpec {
    /// Everything that can be checked without asking the issuer.
    pub fn check(&self, networks: &NetworkPolicy) -> Vec<IssuerFault> {
        let mut found = Vec::new();
        let mut fault = |setting, detail| found.push(IssuerFault { setting, detail });
        let named = |text: &str, why: &str| format!("`{}` {why}", text.escape_debug());
        match confidential(&self.issuer) {
            Ok(url) if url.query().is_some() => {
                fault("issuer", named(&self.issuer, "has a query, and an issuer has none (RFC 8414)"));
            }
            Ok(url) => {
                if let Some(why) = not_allowed(&url, networks) {
                    fault("issuer", why);
                }
            }
            Err(why) => fault("issuer", named(&self.issuer, why)),
        }
        if !is_plain(&self.audience) {
            fault("audience", named(&self.audience, "is not one word of visible ASCII"));
        }
        if self.algorithms.is_empty() {
            fault("algorithms", "no algorithm is named, so no token could be good".to_owned());
        }
        match self.jwks.as_deref().map(confidential) {
            Some(Err(why)) => fault("jwks", named(self.jwks.as_deref().unwrap_or_default(), why)),
            Some(Ok(url)) => {
                if let Some(why) = not_allowed(&url, networks) {
                    fault("jwks", why);
                }
            }
            None => {}
        }
        if !is_plain(&self.claim) || NO_NAMES.contains(&self.claim.as_str()) {
            fault("agent", named(&self.claim, "is not a claim that names an agent"));
        }
        found
    }

    /// The address of this gate that its audience is, when it is one without a path: metadata of the resource (RFC
    /// 9728) can be found there.
    pub fn resource(&self) -> Option<&str> {
        let url = Url::parse(&self.audience).ok().filter(|url| matches!(url.scheme(), "https" | "http"))?;
        let origin = url.origin().ascii_serialization();
        let bare = self.audience == origin || self.audience.strip_suffix('/') == Some(origin.as_str());
        bare.then_some(self.audience.as_str())
    }

    /// Whether both expect the same of a token. Which agent its claim names, and where the keys are, is another matter.
    pub(super) fn expects_the_same(&self, other: &Self) -> bool {
        let Self { issuer, audience, algorithms, jwks: _, claim, agents: _ } = other;
        (&self.issuer, &self.audience, &self.algorithms, &self.claim) == (issuer, audience, algorithms, claim)
    }

    /// The agent that a value of the claim names.
    pub(super) fn agent<'a>(&'a self, value: &'a str) -> Option<&'a str> {
        match &self.agents {
            None => Some(value),
            Some(agents) => agents.get(value).map(String::as_str),
        }
    }
}

/// An address at which nobody on the way can put keys of their own: TLS, or this machine.
pub(super) fn confidential(text: &str) -> Result<Url, &'static str> {
    let url = Url::parse(text).map_err(|_| "is not a URL")?;
    if !url.username().is_empty() || url.password().is_some() || url.fragment().is_some() {
        return Err("must hold neither a user nor a fragment");
    }
    if is_confidential(&url) { Ok(url) } else { Err("must use https") }
}

/// Why an address that stands in the settings may not be called. A name is looked at when it is resolved.
fn not_allowed(url: &Url, networks: &NetworkPolicy) -> Option<String> {
    let ip = match url.host() {
        Some(Host::Ipv4(ip)) => ip.into(),
        Some(Host::Ipv6(ip)) => ip.into(),
        Some(Host::Domain(_)) | None => return None,
    };
    let address = SocketAddr::new(ip, url.port_or_known_default().unwrap_or(0));
    networks.check(address).err().map(|refused| refused.to_string())
}

/// One word that can stand in a header and in a log.
fn is_plain(text: &str) -> bool {
    let visible = |byte: u8| byte.is_ascii_graphic() && byte != b'"' && byte != b'\\';
    !text.is_empty() && text.len() <= TEXT_BYTES_MAX && text.bytes().all(visible)
}
