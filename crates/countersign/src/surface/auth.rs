//! Who is calling: an agent by its key, a person by a session, and for copies of the log a program by a person's token.
//! There is no other answer and no empty one (T40).

use std::time::Duration;

use countersign_core::digest::{Digest, domain};
use countersign_core::refusal::Refusal;
use countersign_engine::fault::Stop;
use countersign_engine::gate::Gate;
use countersign_engine::store::LinkRefusal;
use countersign_engine::world::World;

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

/// The agent that holds this key. Lookup is by digest, so its time says nothing about other keys (T48).
pub(crate) fn agent(gate: &Gate, token: &str) -> Result<String, Refusal> {
    if !token.starts_with(AGENT_KEY) {
        return Err(Refusal::Unauthenticated);
    }
    let rules = gate.ruleset();
    let found = rules.directory.agent_by_key(&token_digest(token));
    found.map(|(name, _)| name.to_owned()).ok_or(Refusal::Unauthenticated)
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
