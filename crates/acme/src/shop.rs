//! The running shop: its state, and the check that every request but the token request passes.

use std::sync::{Arc, Mutex};

use axum::http::{HeaderMap, StatusCode, header};

use crate::book::{Book, Change, Kept};
use crate::clients::{Clients, Scope};
use crate::digest::{Digest, Kind};
use crate::http::{Answer, Request, single};
use crate::ledger::Ledger;
use crate::problem::Problem;
use crate::tokens::{Bearer, Tokens};
use crate::world::World;

/// The state that all requests share.
#[derive(Debug, Clone)]
pub(crate) struct Shop(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    world: World,
    clients: Clients,
    tokens: Mutex<Tokens>,
    ledger: Mutex<Ledger>,
}

impl Shop {
    /// A shop that is ready to serve.
    pub(crate) fn new(world: World, clients: Clients, ledger: Ledger) -> Self {
        let (tokens, ledger) = (Mutex::new(Tokens::default()), Mutex::new(ledger));
        Self(Arc::new(Inner { world, clients, tokens, ledger }))
    }

    /// The clock and the dice.
    pub(crate) fn world(&self) -> &World {
        &self.0.world
    }

    /// Who may ask for tokens.
    pub(crate) fn clients(&self) -> &Clients {
        &self.0.clients
    }

    /// A new id such as `re_1f…`.
    pub(crate) fn id(&self, prefix: &str) -> String {
        format!("{prefix}_{}", self.world().random_hex::<10>())
    }

    /// Does something with the tokens.
    pub(crate) fn tokens<T>(&self, work: impl FnOnce(&mut Tokens) -> T) -> Result<T, Problem> {
        // A lock that a panic left behind guards a state nobody checked: better no answer than a wrong one.
        self.0.tokens.lock().map(|mut tokens| work(&mut tokens)).map_err(|_| Problem::internal())
    }

    /// Reads the book.
    pub(crate) fn read<T>(&self, work: impl FnOnce(&Book) -> Result<T, Problem>) -> Result<T, Problem> {
        self.0.ledger.lock().map_err(|_| Problem::internal()).and_then(|ledger| work(ledger.book()))
    }

    /// Changes the book away from the threads that serve, because it waits for the disk. The work goes on to
    /// its end even when the caller hangs up.
    pub(crate) async fn write<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Ledger) -> Result<T, Problem> + Send + 'static,
    ) -> Result<T, Problem> {
        let shop = self.clone();
        let work =
            move || shop.0.ledger.lock().map_err(|_| Problem::internal()).and_then(|mut l| work(&mut l));
        tokio::task::spawn_blocking(work).await.unwrap_or_else(|_| Err(Problem::internal()))
    }

    /// Makes one change and answers it; with an `Idempotency-Key`, a repeat gets the first answer again.
    ///
    /// Refusals are not kept: a repeat after one is tried anew.
    pub(crate) async fn write_once(
        &self,
        bearer: Bearer,
        request: Request,
        work: impl FnOnce(&Book) -> Result<(Change, Answer), Problem> + Send + 'static,
    ) -> Result<Answer, Problem> {
        let key = request.idempotency_key()?;
        let digest = Digest::of(Kind::Request, &[request.path.as_bytes(), &request.body]);
        self.write(move |ledger| {
            let Some(key) = key else {
                let (change, answer) = work(ledger.book())?;
                return ledger.commit(change, None).map(|()| answer);
            };
            if let Some(kept) = ledger.book().kept(&bearer.client, &key) {
                return if kept.request == digest {
                    Ok(Answer::kept(kept))
                } else {
                    let detail = "The `Idempotency-Key` was used for another request.";
                    Err(Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "idempotency_key_reused", detail))
                };
            }
            let (change, answer) = work(ledger.book())?;
            let (status, body) = (answer.status.as_u16(), answer.body.clone());
            let kept = Kept { client: bearer.client, key, request: digest, status, body };
            ledger.commit(change, Some(kept)).map(|()| answer)
        })
        .await
    }

    /// Lets a request pass whose bearer token has the scope (RFC 6750).
    pub(crate) fn authorize(&self, headers: &HeaderMap, scope: Scope) -> Result<Bearer, Problem> {
        let realm = "Bearer realm=\"acme\"";
        let no = |code, detail: &str, challenge: String| {
            Err(Problem::new(StatusCode::UNAUTHORIZED, code, detail).challenging(challenge))
        };
        let Some(value) = single(headers, &header::AUTHORIZATION)? else {
            return no("token_missing", "Bring a bearer token.", realm.to_owned());
        };
        let token = match value.split_once(' ') {
            Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") => token,
            _ => return no("token_missing", "Bring a bearer token.", realm.to_owned()),
        };
        let now = self.world().ticks();
        let Some(bearer) = self.tokens(|tokens| tokens.bearer(token, now).cloned())? else {
            let challenge = format!("{realm}, error=\"invalid_token\"");
            return no("invalid_token", "The token is unknown or has expired.", challenge);
        };
        if bearer.scopes.contains(&scope) {
            return Ok(bearer);
        }
        let name = scope.name();
        let detail = format!("The token has not the scope `{name}`.");
        let challenge = format!("{realm}, error=\"insufficient_scope\", scope=\"{name}\"");
        Err(Problem::new(StatusCode::FORBIDDEN, "insufficient_scope", detail).challenging(challenge))
    }
}
