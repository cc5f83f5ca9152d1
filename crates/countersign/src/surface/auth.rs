//! Who is calling: an agent by its key or by an access token, a person by a session, and for copies of the log a program
//! by a person's token. There is no other answer and no empty one (T40).

use std::sync::Arc;
use std::time::Duration;

use countersign_core::digest::{Digest, domain};
use countersign_core::directory::AgentProof;
use countersign_core::refusal::Refusal;
use countersign_engine::fault::Stop;
use countersign_engine::gate::Gate;
use countersign_engine::store::LinkRefusal;
use countersign_engine::token::{NotAccepted, SignedToken, TokenAgent, TokenError};
use countersign_engine::world::World;
use zeroize::Zeroizing;

use super::App;

/// The word an agent's key begins with.
pub(crate) const AGENT_KEY: &str = "csk_";
/// The word a person's session begins with.
pub(crate) const SESSION: &str = "css_";
/// The word a one-time sign-in link's token begins with.
pub(crate) const LINK: &str = "csl_";
/// The word a token for the log begins with.
pub(crate) const LOG_TOKEN: &str = "cst_";
/// How long a sign-in link works.
pub(crate) const LINK_LIFE: Duration = Duration::from_mins(15);
/// The longest a session lasts.
pub(crate) const SESSION_LIFE: Duration = Duration::from_hours(12);
/// A session that nobody used for this long is over.
pub(crate) const SESSION_IDLE: Duration = Duration::from_hours(1);

/// A person with a live session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SignedIn {
    /// Name in the directory.
    pub(crate) person: String,
    /// What forms of this session carry, so that no other site can post them (T129).
    pub(crate) csrf: String,
}

/// 256 random bits as text after a word that says what it is.
pub(crate) fn new_token(world: &World, word: &str) -> String {
    format!("{word}{}", world.random_hex::<32>())
}

/// The digest under which a key, session or link is kept. The token itself is kept nowhere (T47).
pub(crate) fn token_digest(token: &str) -> Digest {
    Digest::of(domain::TOKEN, token.as_bytes())
}

/// An agent that proved who it is, for as long as its proof holds.
#[derive(Debug, Clone)]
pub(crate) struct KnownAgent {
    /// Name in the directory.
    pub(crate) name: String,
    presented: Presented,
}

/// What an agent presented. The token itself is not kept: nothing could pass it on (T37).
#[derive(Clone)]
enum Presented {
    Key(Arc<Zeroizing<String>>),
    Token(Arc<TokenAgent>),
}

impl std::fmt::Debug for Presented {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Key(_) => "Key(..)",
            Self::Token(_) => "Token(..)",
        })
    }
}

impl KnownAgent {
    /// For the identity chain of what it proposes.
    pub(crate) fn proof(&self) -> AgentProof {
        match &self.presented {
            Presented::Key(_) => AgentProof::Key,
            Presented::Token(found) => AgentProof::Token { issuer: found.issuer.clone() },
        }
    }

    /// Why it is no longer known; none while it is. What lasts asks again.
    pub(crate) fn lost(&self, app: &App) -> Option<Refusal> {
        match &self.presented {
            Presented::Key(key) => {
                let holds = by_key(app, key).is_ok_and(|name| name == self.name);
                (!holds).then_some(Refusal::Unauthenticated)
            }
            Presented::Token(found) => {
                app.issuers.lost(found).map(invalid).or(in_directory(app, found).err())
            }
        }
    }

    /// When what it presented ends by itself. A key does not.
    pub(crate) fn time_left(&self, app: &App) -> Option<Duration> {
        match &self.presented {
            Presented::Key(_) => None,
            Presented::Token(found) => Some(app.issuers.time_left(found)),
        }
    }
}

/// The agent behind a bearer token: a key of ours, or an access token that an issuer signed.
pub(crate) async fn agent(app: &App, token: &str) -> Result<KnownAgent, Refusal> {
    if token.starts_with(AGENT_KEY) || app.issuers.is_empty() || !SignedToken::is_one(token) {
        let presented = Presented::Key(Arc::new(Zeroizing::new(token.to_owned())));
        return Ok(KnownAgent { name: by_key(app, token)?, presented });
    }
    let found = app.issuers.verify(token).await.map_err(|why| match why {
        NotAccepted::Token(error) => invalid(error),
        NotAccepted::NoKeys { issuer, retry_after_s } => {
            let detail =
                format!("the keys of the issuer {issuer} cannot be read, so its tokens cannot be checked");
            Refusal::Unavailable { detail, retry_after_s }
        }
    })?;
    in_directory(app, &found)?;
    Ok(KnownAgent { name: found.agent.clone(), presented: Presented::Token(Arc::new(found)) })
}

fn invalid(error: TokenError) -> Refusal {
    Refusal::InvalidToken { detail: error.to_string() }
}

/// The agent that holds this key. Lookup is by digest, so its time says nothing about other keys (T48).
fn by_key(app: &App, token: &str) -> Result<String, Refusal> {
    if !token.starts_with(AGENT_KEY) {
        return Err(Refusal::Unauthenticated);
    }
    let rules = app.gate.ruleset();
    let found = rules.directory.agent_by_key(&token_digest(token));
    found.map(|(name, _)| name.to_owned()).ok_or(Refusal::Unauthenticated)
}

/// Whether the directory has the agent that a token names, and has not suspended it.
fn in_directory(app: &App, found: &TokenAgent) -> Result<(), Refusal> {
    let rules = app.gate.ruleset();
    let agent = rules.directory.agent(&found.agent).filter(|agent| !agent.disabled);
    agent.map(drop).ok_or(invalid(TokenError::NoAgent))
}

/// The person whose session this is, if it is live and they are still in the directory.
pub(crate) async fn person(gate: &Gate, token: &str) -> Result<SignedIn, Stop> {
    if !token.starts_with(SESSION) {
        return Err(Refusal::Unauthenticated.into());
    }
    let session = gate.session(&token_digest(token), SESSION_IDLE).await?.ok_or(Refusal::Unauthenticated)?;
    let csrf = Digest::of(domain::TOKEN, format!("csrf/{token}").as_bytes()).to_hex();
    Ok(SignedIn { person: session.person, csrf })
}

/// The person for whom a caller reads the log: by a session, or by a token that is good for nothing else.
pub(crate) async fn log_reader(gate: &Gate, token: &str) -> Result<String, Stop> {
    if !token.starts_with(LOG_TOKEN) {
        return Ok(person(gate, token).await?.person);
    }
    let found = gate.log_token(&token_digest(token)).await?.ok_or(Refusal::Unauthenticated)?;
    Ok(found.person)
}

/// Ends the session that this token opened, if it did.
pub(crate) async fn sign_out(gate: &Gate, token: &str) -> Result<(), Stop> {
    gate.end_session(&token_digest(token)).await
}

/// Makes a one-time sign-in link's token for a person.
pub(crate) async fn invite(gate: &Gate, person: &str) -> Result<String, Stop> {
    let token = new_token(gate.world(), LINK);
    gate.add_link(&token_digest(&token), person, LINK_LIFE).await?;
    Ok(token)
}

/// Why a link that was refused did not sign anybody in; none when the gate does not know it.
pub(crate) async fn why_refused(gate: &Gate, link: &str) -> Result<Option<LinkRefusal>, Stop> {
    gate.why_link_refused(&token_digest(link)).await
}

/// Trades a link's token for a session, once. Gives the session's token and the person. A refusal is recorded.
pub(crate) async fn redeem(gate: &Gate, link: &str) -> Result<(String, String), Stop> {
    let token = new_token(gate.world(), SESSION);
    let digests = (token_digest(link), token_digest(&token));
    let person = if link.starts_with(LINK) {
        gate.redeem_link(&digests.0, &digests.1, SESSION_LIFE).await?
    } else {
        None
    };
    match person {
        Some(person) => Ok((token, person)),
        None => {
            gate.note_refused_sign_in().await;
            Err(Refusal::Unauthenticated.into())
        }
    }
}
