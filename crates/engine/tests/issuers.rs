//! Keys of issuers over time: when they are fetched, how long they are used, and who waits for whom. The clock is the
//! test's own; the server speaks HTTP.
#![expect(clippy::unwrap_used, reason = "a failed step must fail the test")]
#![expect(clippy::indexing_slicing, reason = "a failed step must fail the test")]

use std::sync::{Arc, Mutex};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use countersign_core::time::Timestamp;
use countersign_engine::connector::NetworkPolicy;
use countersign_engine::token::{Algorithm, IssuerSpec, Issuers, NotAccepted, TokenAgent, TokenError};
use countersign_engine::world::World;
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;

const ISSUER: &str = "https://login.example";
const START: u64 = 1_700_000_000;

fn b64(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// What the key server answers.
#[derive(Clone)]
enum Answer {
    Keys,
    Status(u16),
    Body(String),
    /// The keys, when it is told to.
    Held(Arc<Notify>),
}

/// An issuer that publishes one key, which it can replace.
struct KeyServer {
    url: String,
    state: Arc<Mutex<State>>,
}

struct State {
    kid: String,
    pkcs8: Vec<u8>,
    answer: Answer,
    asked: usize,
}

impl State {
    fn pair(&self) -> EcdsaKeyPair {
        EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &self.pkcs8, &SystemRandom::new()).unwrap()
    }

    fn keys(&self) -> String {
        let pair = self.pair();
        let point = pair.public_key().as_ref();
        let key = json!({ "kty": "EC", "crv": "P-256", "kid": self.kid, "x": b64(&point[1..33]), "y": b64(&point[33..]) });
        json!({ "keys": [key] }).to_string()
    }
}

fn new_key() -> Vec<u8> {
    let made = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &SystemRandom::new());
    made.unwrap().as_ref().to_vec()
}

impl KeyServer {
    #[expect(clippy::disallowed_methods, reason = "a test server runs beside the test and ends with it")]
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/keys", listener.local_addr().unwrap());
        let state = State { kid: "first".to_owned(), pkcs8: new_key(), answer: Answer::Keys, asked: 0 };
        let state = Arc::new(Mutex::new(state));
        let shared = Arc::clone(&state);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, Arc::clone(&shared)));
            }
        });
        Self { url, state }
    }

    fn rotate(&self, kid: &str) {
        let mut state = self.state.lock().unwrap();
        (state.kid, state.pkcs8) = (kid.to_owned(), new_key());
    }

    fn answer(&self, answer: Answer) {
        self.state.lock().unwrap().answer = answer;
    }

    fn asked(&self) -> usize {
        self.state.lock().unwrap().asked
    }

    /// A token that was made and expires so many seconds after the start.
    fn token(&self, from: u64, to: u64) -> String {
        let state = self.state.lock().unwrap();
        sign(&state, &state.kid, from, to)
    }

    /// The same with a key of this name.
    fn token_by(&self, kid: &str) -> String {
        sign(&self.state.lock().unwrap(), kid, 0, 86_400)
    }
}

fn sign(state: &State, kid: &str, from: u64, to: u64) -> String {
    let header = json!({ "alg": "ES256", "typ": "at+jwt", "kid": kid });
    let seconds = |after: u64| START.checked_add(after).unwrap();
    let claims: Value = json!({ "iss": ISSUER, "aud": "urn:gate", "client_id": "bot",
        "iat": seconds(from), "exp": seconds(to) });
    let signed = format!("{}.{}", b64(header.to_string()), b64(claims.to_string()));
    let signature = state.pair().sign(&SystemRandom::new(), signed.as_bytes()).unwrap();
    format!("{signed}.{}", b64(signature))
}

async fn serve(mut stream: TcpStream, state: Arc<Mutex<State>>) {
    let mut request = Vec::new();
    while !request.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        if stream.read(&mut byte).await.unwrap_or(0) == 0 {
            return;
        }
        request.extend_from_slice(&byte);
    }
    let answer = {
        let mut state = state.lock().unwrap();
        state.asked = state.asked.checked_add(1).unwrap();
        state.answer.clone()
    };
    let keys = || state.lock().unwrap().keys();
    let (status, body) = match answer {
        Answer::Keys => (200, keys()),
        Answer::Status(status) => (status, keys()),
        Answer::Body(body) => (200, body),
        Answer::Held(go) => {
            go.notified().await;
            (200, keys())
        }
    };
    let head = format!("HTTP/1.1 {status} X\r\ncontent-length: {}\r\nconnection: close\r\n\r\n", body.len());
    // The other side may have enough before the end.
    let _ = stream.write_all(format!("{head}{body}").as_bytes()).await;
}

fn spec(server: &KeyServer) -> IssuerSpec {
    IssuerSpec {
        issuer: ISSUER.to_owned(),
        audience: "urn:gate".to_owned(),
        algorithms: Algorithm::ALL.to_vec(),
        jwks: Some(server.url.clone()),
        claim: "client_id".to_owned(),
        agents: None,
    }
}

fn issuers(server: &KeyServer) -> (Issuers, World) {
    let world = World::manual(
        1,
        Timestamp::from_micros(i64::try_from(START).unwrap().checked_mul(1_000_000).unwrap()),
    );
    let networks = NetworkPolicy { allow: vec!["127.0.0.0/8".parse().unwrap()], own: vec![] };
    (Issuers::new(vec![spec(server)], networks, world.clone()), world)
}

fn seconds(count: u64) -> Duration {
    Duration::from_secs(count)
}

const UNKNOWN: Result<TokenAgent, NotAccepted> = Err(NotAccepted::Token(TokenError::UnknownKey));

#[tokio::test]
async fn keys_are_fetched_when_a_token_needs_them_and_again_when_they_are_five_minutes_old() {
    let server = KeyServer::start().await;
    let (issuers, world) = issuers(&server);
    assert_eq!(server.asked(), 0);
    let token = server.token(0, 86_400);
    for (pass, asked) in [(0, 1), (0, 1), (299, 1), (1, 2), (299, 2), (1, 3)] {
        world.advance(seconds(pass));
        assert_eq!(issuers.verify(&token).await.unwrap().agent, "bot");
        assert_eq!(server.asked(), asked, "after {pass} seconds more");
    }
    // A key that its issuer took back is good no longer than that.
    server.rotate("second");
    world.advance(seconds(299));
    assert!(issuers.verify(&token).await.is_ok());
    world.advance(seconds(1));
    assert_eq!(issuers.verify(&token).await, UNKNOWN);
}

#[tokio::test]
async fn a_key_that_is_not_known_is_asked_for_at_most_once_in_thirty_seconds() {
    let server = KeyServer::start().await;
    let (issuers, world) = issuers(&server);
    assert!(issuers.verify(&server.token(0, 600)).await.is_ok());
    for kid in 0..50 {
        assert_eq!(issuers.verify(&server.token_by(&kid.to_string())).await, UNKNOWN);
    }
    assert_eq!(server.asked(), 2);
    server.rotate("second");
    world.advance(seconds(29));
    assert_eq!(issuers.verify(&server.token(0, 600)).await, UNKNOWN);
    assert_eq!(server.asked(), 2);
    world.advance(seconds(1));
    assert!(issuers.verify(&server.token(0, 600)).await.is_ok());
    assert_eq!(server.asked(), 3);
    // What no key makes good asks for none.
    for token in ["a.b.c", "..", &format!("{}.e30.", b64("{\"alg\":\"none\"}"))] {
        assert!(issuers.verify(token).await.is_err());
    }
    assert_eq!(server.asked(), 3);
}

#[tokio::test]
async fn keys_are_used_for_an_hour_while_their_issuer_is_down_and_it_is_asked_every_ten_seconds() {
    let server = KeyServer::start().await;
    let (issuers, world) = issuers(&server);
    let token = server.token(0, 86_400);
    assert!(issuers.verify(&token).await.is_ok());
    server.answer(Answer::Status(503));
    world.advance(seconds(300));
    for (pass, asked) in [(0, 2), (0, 2), (9, 2), (1, 3), (10, 4)] {
        world.advance(seconds(pass));
        assert!(issuers.verify(&token).await.is_ok());
        assert_eq!(server.asked(), asked);
    }
    world.advance(seconds(3_279));
    assert!(issuers.verify(&token).await.is_ok(), "one second before the hour is over");
    world.advance(seconds(1));
    let away = NotAccepted::NoKeys { issuer: ISSUER.to_owned(), retry_after_s: 10 };
    assert_eq!(issuers.verify(&token).await, Err(away.clone()));
    world.advance(seconds(10));
    assert_eq!(issuers.verify(&token).await, Err(away));
    server.answer(Answer::Keys);
    world.advance(seconds(10));
    assert!(issuers.verify(&token).await.is_ok());
}

#[tokio::test]
async fn what_is_no_bounded_set_of_keys_is_none() {
    let server = KeyServer::start().await;
    let (issuers, world) = issuers(&server);
    let token = server.token(0, 86_400);
    let sound = server.state.lock().unwrap().keys();
    let large = format!("{}{sound}", " ".repeat(256 * 1024));
    for (name, answer) in [
        ("too large", Answer::Body(large)),
        ("no set", Answer::Body("[]".to_owned())),
        ("no keys", Answer::Body("{\"keys\":[]}".to_owned())),
        ("another status", Answer::Status(203)),
        ("a redirect", Answer::Status(302)),
        ("cut", Answer::Body(sound.chars().take(30).collect())),
    ] {
        server.answer(answer);
        assert!(matches!(issuers.verify(&token).await, Err(NotAccepted::NoKeys { .. })), "{name}");
        world.advance(seconds(10));
    }
    server.answer(Answer::Keys);
    assert!(issuers.verify(&token).await.is_ok());
}

#[tokio::test]
async fn callers_share_one_fetch_and_who_hangs_up_ends_it_for_nobody() {
    let server = KeyServer::start().await;
    let (issuers, _) = issuers(&server);
    let token = server.token(0, 600);
    let go = Arc::new(Notify::new());
    server.answer(Answer::Held(Arc::clone(&go)));
    // The first one starts the fetch and goes away.
    let first = tokio::time::timeout(Duration::from_millis(200), issuers.verify(&token)).await;
    assert!(first.is_err());
    let all = futures_util::future::join_all((0..20).map(|_| issuers.verify(&token)));
    let (all, ()) = tokio::join!(all, async {
        tokio::time::timeout(Duration::from_millis(100), std::future::pending::<()>()).await.unwrap_err();
        go.notify_one();
    });
    assert!(all.iter().all(Result::is_ok), "{all:?}");
    assert_eq!(server.asked(), 1);
}

#[tokio::test]
async fn a_token_holds_until_it_expires_and_as_long_as_its_issuer_names_its_agent() {
    let server = KeyServer::start().await;
    let (issuers, world) = issuers(&server);
    let token = server.token(0, 600);
    let found = issuers.verify(&token).await.unwrap();
    assert_eq!((issuers.lost(&found), issuers.time_left(&found)), (None, seconds(600)));
    world.advance(seconds(599));
    assert_eq!((issuers.lost(&found), issuers.time_left(&found)), (None, seconds(1)));
    // The same table again keeps the keys, another one asks for them.
    issuers.set(vec![spec(&server)]);
    assert!(issuers.verify(&token).await.is_ok());
    let asked = server.asked();
    let table = |agent: &str| IssuerSpec {
        agents: Some([("bot".to_owned(), agent.to_owned())].into()),
        ..spec(&server)
    };
    issuers.set(vec![table("other")]);
    assert_eq!(issuers.lost(&found), Some(TokenError::NoAgent));
    assert_eq!(issuers.verify(&token).await.unwrap().agent, "other");
    assert_eq!(server.asked(), asked.checked_add(1).unwrap());
    issuers.set(vec![table("bot")]);
    assert_eq!(issuers.lost(&found), None);
    for changed in [
        IssuerSpec { audience: "urn:other".to_owned(), ..spec(&server) },
        IssuerSpec { algorithms: vec![Algorithm::EdDsa], ..spec(&server) },
        IssuerSpec { claim: "sub".to_owned(), ..spec(&server) },
    ] {
        issuers.set(vec![changed]);
        assert_eq!(issuers.lost(&found), Some(TokenError::Changed));
    }
    issuers.set(Vec::new());
    assert_eq!(issuers.lost(&found), Some(TokenError::Issuer));
    assert_eq!(issuers.verify(&token).await, Err(NotAccepted::Token(TokenError::Issuer)));
    issuers.set(vec![spec(&server)]);
    world.advance(seconds(1));
    assert_eq!(
        (issuers.lost(&found), issuers.time_left(&found)),
        (Some(TokenError::Expired), Duration::ZERO)
    );
    assert_eq!(issuers.verify(&token).await, Err(NotAccepted::Token(TokenError::Expired)));
}
