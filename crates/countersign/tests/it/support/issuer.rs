//! An authorization server whose every token, also a broken one, a test makes itself. It publishes its metadata and
//! keys over HTTP as a real one does, and remembers who asked.

use std::sync::Mutex;
use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _};
use serde_json::{Value, json};

use super::{GateDir, Reply, Upstream};

/// The gate's name at every issuer of the tests.
pub(crate) const AUDIENCE: &str = "https://gate.test";

/// Base64url without padding.
pub(crate) fn b64(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// Seconds since 1970.
pub(crate) fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}

/// An issuer with one key.
#[derive(Debug)]
pub(crate) struct Issuer {
    pub(crate) server: Upstream,
    /// Its name and its private part.
    key: Mutex<(String, Vec<u8>)>,
}

impl Issuer {
    /// Starts it with a key of the name `first`.
    pub(crate) async fn start() -> Self {
        let server = Upstream::start().await;
        let issuer = Self { server, key: Mutex::default() };
        let url = issuer.url();
        let metadata = json!({ "issuer": url, "jwks_uri": format!("{url}/keys") });
        issuer.server.on("GET /.well-known/oauth-authorization-server", Reply::json(200, &metadata));
        issuer.rotate("first");
        issuer
    }

    /// Its `iss`.
    pub(crate) fn url(&self) -> String {
        self.server.url()
    }

    /// Replaces its key by one of this name.
    pub(crate) fn rotate(&self, kid: &str) {
        let made =
            EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &SystemRandom::new()).unwrap();
        *self.key.lock().unwrap() = (kid.to_owned(), made.as_ref().to_vec());
        self.server.on("GET /keys", Reply::json(200, &json!({ "keys": [self.jwk()] })));
    }

    /// Its public key.
    pub(crate) fn jwk(&self) -> Value {
        let (kid, pair) = self.pair();
        let point = pair.public_key().as_ref();
        json!({ "kty": "EC", "crv": "P-256", "kid": kid, "use": "sig", "alg": "ES256",
            "x": b64(&point[1..33]), "y": b64(&point[33..]) })
    }

    fn pair(&self) -> (String, EcdsaKeyPair) {
        let (kid, pkcs8) = self.key.lock().unwrap().clone();
        let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &pkcs8, &SystemRandom::new());
        (kid, pair.unwrap())
    }

    /// How often its keys were fetched.
    pub(crate) fn fetches(&self) -> usize {
        self.server.calls().iter().filter(|call| call.path == "/keys").count()
    }

    /// The header of a good token.
    pub(crate) fn header(&self) -> Value {
        json!({ "alg": "ES256", "kid": self.pair().0, "typ": "at+jwt" })
    }

    /// The claims of a good token for `bot`.
    pub(crate) fn claims(&self) -> Value {
        json!({ "iss": self.url(), "aud": AUDIENCE, "sub": "bot", "client_id": "bot", "jti": "j-1",
            "iat": now(), "exp": now() + 300 })
    }

    /// A good token for `bot`.
    pub(crate) fn token(&self) -> String {
        self.sign(&self.header(), &self.claims())
    }

    /// A token of `bot` that is good for so many seconds.
    pub(crate) fn token_for(&self, seconds: u64) -> String {
        self.sign(&self.header(), &with(self.claims(), "exp", json!(now() + seconds)))
    }

    /// A token that says this.
    pub(crate) fn sign(&self, header: &Value, claims: &Value) -> String {
        let signed = format!("{}.{}", b64(header.to_string()), b64(claims.to_string()));
        let signature = self.pair().1.sign(&SystemRandom::new(), signed.as_bytes()).unwrap();
        format!("{signed}.{}", b64(signature))
    }
}

/// A value with one member changed, or removed by null.
pub(crate) fn with(base: Value, member: &str, value: Value) -> Value {
    let mut base = base;
    let members = base.as_object_mut().unwrap();
    if value.is_null() {
        drop(members.remove(member));
    } else {
        drop(members.insert(member.to_owned(), value));
    }
    base
}

impl GateDir {
    /// Takes the tokens of this issuer, with further settings of its table.
    pub(crate) fn trusting(self, issuer: &str, settings: &str) -> Self {
        let table = format!("[issuer.login]\nissuer = \"{issuer}\"\naudience = \"{AUDIENCE}\"\n{settings}\n");
        self.write("countersign.toml", &format!("{}{table}", self.read("countersign.toml")));
        self
    }
}
