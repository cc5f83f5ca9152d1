//! Frank and Fiona of finance: they sign in by one-time links, look at what waits, and approve or reject it.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};

use crate::arena::{Arena, Phase};
use crate::files::GateFiles;
use crate::http::{Answer, Request, send};
use crate::ledger::text;
use crate::random::Random;
use crate::{Error, Result};

const PATIENCE: Duration = Duration::from_secs(20);

/// Decides whatever waits, until the run is over.
pub(crate) async fn decide(arena: Arc<Arena>, files: GateFiles, person: &'static str) -> Result<()> {
    let mut random = Random::new(arena.seed, person);
    let mut session = String::new();
    while arena.phase() != Phase::Over {
        if session.is_empty() {
            // The gate may be down; the next round tries again.
            session = sign_in(&arena, &files, person).await.unwrap_or_default();
        }
        if round(&arena, person, &session, &mut random).await? == Some(401) {
            session.clear();
        }
        let phase = arena.phase();
        arena.pause(phase, Duration::from_millis(random.between(100, 400))).await;
    }
    Ok(())
}

async fn sign_in(arena: &Arena, files: &GateFiles, person: &str) -> Result<String> {
    let link = files.run(&["person", "link", person, "."]).await?;
    let token = link.trim().rsplit('/').next().unwrap_or_default().to_owned();
    let (_, answer) =
        call(arena, "", "POST", ("/v1/sign-in".to_owned(), Some(json!({ "link": token })))).await?;
    Ok(text(&answer, "/session").to_owned())
}

async fn call(
    arena: &Arena,
    session: &str,
    method: &'static str,
    (path, body): (String, Option<Value>),
) -> Result<Answer> {
    let address = arena.address.borrow().people.clone();
    let request = Request { method, path, bearer: session.to_owned(), body, ..Request::default() };
    send(&address, request, PATIENCE).await
}

/// Looks at one page of what waits. The last status is the answer; none when nobody answered.
async fn round(arena: &Arena, person: &str, session: &str, random: &mut Random) -> Result<Option<u16>> {
    if session.is_empty() {
        return Ok(None);
    }
    let list = ("/v1/proposals?state=pending&limit=200".to_owned(), None);
    let Ok((status, page)) = call(arena, session, "GET", list).await else { return Ok(None) };
    let proposals = page.get("proposals").and_then(Value::as_array).cloned().unwrap_or_default();
    for proposal in proposals.iter().rev() {
        if arena.phase() == Phase::Over {
            return Ok(Some(status));
        }
        // During the load some decisions are left for later, so that proposals live through faults.
        let id = text(proposal, "/id");
        if arena.phase() == Phase::Load && random.percent(40) {
            continue;
        }
        if judge(arena, (person, session), id, random).await.is_err() {
            return Ok(None);
        }
    }
    Ok(Some(status))
}

/// Looks at one proposal and decides it if it is for this person. Fails when nobody answers.
async fn judge(arena: &Arena, (person, session): (&str, &str), id: &str, random: &mut Random) -> Result<()> {
    let (status, shown) = call(arena, session, "GET", (format!("/v1/proposals/{id}"), None)).await?;
    if status != 200 {
        return Ok(());
    }
    let approved = |a: &Value| text(a, "/person") == person;
    if shown.get("approvals").and_then(Value::as_array).is_some_and(|all| all.iter().any(approved)) {
        return Ok(());
    }
    let verdict = if random.percent(10) { "reject" } else { "approve" };
    let body = json!({
        "intent": text(&shown, "/card/intent"),
        "decision": text(&shown, "/card/decision"),
        "view": text(&shown, "/view"),
    });
    arena.people.write(json!({ "what": "ask", "person": person, "verdict": verdict, "id": id }))?;
    let path = format!("/v1/proposals/{id}/{verdict}");
    let answer: std::result::Result<Answer, Error> = call(arena, session, "POST", (path, Some(body))).await;
    let (status, code) = match &answer {
        Ok((status, body)) => (*status, text(body, "/code")),
        Err(_) => (0, "lost"),
    };
    arena.people.write(json!({
        "what": "answer", "person": person, "verdict": verdict, "id": id, "status": status, "code": code,
    }))?;
    answer.map(|_| ())
}
