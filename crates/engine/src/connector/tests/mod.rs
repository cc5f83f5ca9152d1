//! The connector against upstreams that misbehave.

mod behaviours;
mod redirects;
mod secrets;
mod targets;
mod tls;

#[path = "../../../tests/support/toxic.rs"]
pub(crate) mod toxic;

use std::collections::{BTreeMap, BTreeSet};

use countersign_core::action::{Call, EffectClass, HttpCall, Method};
use countersign_core::time::Timestamp;

use super::*;
use crate::credential::{CredentialSpec, Credentials, Kind, Placement, Use};
use crate::world::World;

/// Long enough for every answer that comes, short enough to wait for those that do not.
const TIME_MS: u64 = 400;
pub(crate) const CANARY: &str = "sk_live_C4n4ry/+=~value.0123456789";

pub(crate) fn loopback() -> NetworkPolicy {
    NetworkPolicy { allow: vec!["127.0.0.0/8".parse().unwrap(), "::1/128".parse().unwrap()], own: vec![] }
}

pub(crate) fn write_call(url: &str) -> HttpCall {
    HttpCall {
        method: Method::Post,
        url: url.to_owned(),
        headers: vec![("idempotency-key".to_owned(), "prp_1".to_owned())],
        body: Some(("application/json".to_owned(), r#"{"amount":5}"#.to_owned())),
        credential: None,
        ok: BTreeSet::from([200, 201]),
        timeout_ms: TIME_MS,
        effect: EffectClass::Opaque,
    }
}

pub(crate) fn read_call(url: &str) -> HttpCall {
    HttpCall {
        method: Method::Get,
        effect: EffectClass::Read,
        headers: vec![],
        body: None,
        ..write_call(url)
    }
}

pub(crate) fn grant(call: HttpCall) -> Grant {
    let world = World::manual(1, Timestamp::from_micros(1_700_000_000_000_000));
    Grant::of_recorded_dispatch(world.id(), world.id(), Call::Http(call), world.ticks())
}

/// A credential called `key`, from a file, as an operator would keep it.
pub(crate) fn credentials(
    origin: &str,
    usage: Use,
    placement: Placement,
) -> (Credentials, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("key");
    std::fs::write(&path, format!("{CANARY}\n")).unwrap();
    std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    let spec = CredentialSpec { origin: origin.to_owned(), usage, kind: Kind::File { path }, placement };
    (Credentials::new(BTreeMap::from([("key".to_owned(), spec)]), loopback()), folder)
}

/// The secret of a call that names `key`.
pub(crate) async fn secret(origin: &str, usage: Use, placement: Placement) -> Secret {
    let (credentials, _folder) = credentials(origin, usage, placement);
    let call = match usage {
        Use::Read => read_call(&format!("{origin}/")),
        Use::Write => write_call(&format!("{origin}/")),
    };
    let call = HttpCall { credential: Some("key".to_owned()), ..call };
    credentials.for_grant(&grant(call)).await.unwrap().unwrap()
}

pub(crate) async fn call(call: HttpCall) -> Outcome {
    HttpConnector::new(loopback()).call(&grant(call), None).await
}

/// `succeeded`, or the outcome and its cause: `unknown timed_out`.
pub(crate) fn class(outcome: &Outcome) -> String {
    let json = serde_json::to_value(outcome).unwrap();
    let of = |key: &str| json.get(key).and_then(|v| v.as_str()).unwrap_or_default().to_owned();
    format!("{} {}", of("outcome"), of("cause")).trim_end().to_owned()
}

pub(crate) fn response(outcome: &Outcome) -> countersign_core::outcome::Response {
    match outcome {
        Outcome::Succeeded { response } => response.clone(),
        Outcome::Failed { response, .. } | Outcome::Unknown { response, .. } => response.clone().unwrap(),
    }
}
