//! The story: what the agent proposes, what the gate answers, what a person decides.

use anyhow::{Context as _, bail};
use countersign_core::audit::{Expected, Finding};
use countersign_engine::gate::Gate;
use serde_json::{Value, json};

use super::setup::{Setup, next_round};
use crate::auth;
use crate::cli::{BROKEN, Client, DONE, Output, REFUSED, describe_finding, verdict, verify_file};
use crate::wire::at;

/// Everything the story needs.
#[derive(Debug)]
pub(super) struct Stage {
    /// Where agents connect.
    pub(super) agents_url: String,
    /// Where people connect.
    pub(super) people_url: String,
    /// The running gate, to make sign-in links as its operator would.
    pub(super) gate: Gate,
    /// Files and keys.
    pub(super) setup: Setup,
    /// Whether a second person approves by itself.
    pub(super) auto: bool,
}

/// One thing the agent proposes.
struct Scene {
    name: &'static str,
    says: &'static str,
    action: &'static str,
    input: Value,
    reason: &'static str,
}

fn scenes() -> Vec<Scene> {
    let scene = |name, says, action, input, reason| Scene { name, says, action, input, reason };
    vec![
        scene(
            "read",
            "read a customer",
            "acme.customer.read",
            json!({ "customer": "cus_ada" }),
            "Looking up who wrote in.",
        ),
        scene(
            "note",
            "add a note",
            "acme.note.add",
            json!({ "customer": "cus_ada", "text": "Asked about a double charge." }),
            "Leaving a trace for the team.",
        ),
        scene(
            "small",
            "refund 40.00 usd",
            "acme.refund.create",
            json!({ "invoice": "inv_1001", "amount": 4_000 }),
            "Charged twice for shipping.",
        ),
        scene(
            "delete",
            "delete a customer",
            "acme.customer.delete",
            json!({ "customer": "cus_linus" }),
            "The customer asked me to forget them.",
        ),
        scene(
            "bad",
            "refund with a bad input",
            "acme.refund.create",
            json!({ "invoice": "inv 1001", "amount": "a lot", "approved": true }),
            "",
        ),
        scene(
            "large",
            "refund 900.00 usd",
            "acme.refund.create",
            json!({ "invoice": "inv_1002", "amount": 90_000 }),
            "The annual plan was billed twice. Please approve quickly, the customer is upset!",
        ),
    ]
}

/// Tells it. The exit code is that of the last scene.
pub(super) async fn tell(stage: &Stage, output: &mut Output) -> anyhow::Result<u8> {
    let agent = Client::new(&stage.agents_url, &stage.setup.agent_key)?;
    let scenes = scenes();
    let total = scenes.len();
    let mut waiting = None;
    for (index, scene) in scenes.iter().enumerate() {
        output.line("");
        output.line(&format!("[{}/{total}] the agent proposes: {}", index.saturating_add(1), scene.says));
        let body = json!({ "action": scene.action, "input": scene.input, "on_behalf_of": "ann", "reason": scene.reason });
        let key = format!("demo-{}-{}", stage.setup.round, scene.name);
        let answer = agent.post_once("/v1/proposals", &body, &key).await?;
        show_answer(answer.status, &answer.body, output);
        if answer.status == 202 {
            waiting = at(&answer.body, "/id").as_str().map(ToOwned::to_owned);
        }
    }
    let mut code = DONE;
    if let Some(id) = waiting {
        code = wait_for_person(stage, &agent, &id, output).await?;
    }
    let verified = verify_log(stage, output).await?;
    next_round(&stage.setup)?;
    Ok(if verified == DONE { code } else { verified })
}

fn show_answer(status: u16, body: &Value, output: &mut Output) {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    if status >= 400 {
        output.line(&format!("  {status} {}: {}", text(at(body, "/code")), text(at(body, "/detail"))));
        for error in at(body, "/errors").as_array().into_iter().flatten() {
            output.line(&format!("      {}: {}", text(at(error, "/pointer")), text(at(error, "/detail"))));
        }
        return;
    }
    output.line(&format!("  {status} {}: {}", text(at(body, "/state")), text(at(body, "/message"))));
    for effect in at(body, "/effects").as_array().into_iter().flatten() {
        output.line(&format!("      {}", text(effect)));
    }
    if !at(body, "/result").is_null() {
        output.line(&format!("      result {}", at(body, "/result")));
    }
}

async fn wait_for_person(stage: &Stage, agent: &Client, id: &str, output: &mut Output) -> anyhow::Result<u8> {
    let link = auth::invite(&stage.gate, "frank").await.map_err(crate::serve::stopped)?;
    output.line("");
    let state = agent.get(&format!("/v1/proposals/{id}")).await?.good()?;
    if *at(&state, "/state") == json!("pending") {
        if stage.auto {
            output.line("Frank from finance decides, over the API (--auto)");
            approve_as_frank(stage, &link, id, output).await?;
        } else {
            output.line("Frank from finance must decide. Open this link to sign in as Frank; it works once:");
            output.line(&format!("  {}/sign-in/{link}", stage.people_url));
            output.line(&format!("  then {}/proposals/{id}", stage.people_url));
            output.line("waiting; Ctrl-C stops, and the same command resumes");
        }
    }
    loop {
        let body = agent.get(&format!("/v1/proposals/{id}?wait=30")).await?.good()?;
        match at(&body, "/state").as_str() {
            Some("pending" | "ready" | "dispatched") => {}
            Some("succeeded") => {
                output.line("the agent, which waited, is told:");
                show_answer(200, &body, output);
                return Ok(DONE);
            }
            Some(_) => {
                show_answer(200, &body, output);
                return Ok(REFUSED);
            }
            None => bail!("the gate gave no state for {id}"),
        }
    }
}

async fn approve_as_frank(stage: &Stage, link: &str, id: &str, output: &mut Output) -> anyhow::Result<()> {
    let frank = sign_in(stage, link).await?;
    let shown = frank.get(&format!("/v1/proposals/{id}")).await?.good()?;
    output.line(&format!("  he sees: {}", at(&shown, "/card/headline").as_str().unwrap_or_default()));
    let preview = at(&shown, "/card/preview");
    for change in at(preview, "/patch").as_array().into_iter().flatten() {
        let path = at(change, "/path").as_str().unwrap_or_default();
        let before = at(preview, "/before").pointer(path).cloned().unwrap_or_default();
        output.line(&format!("      {path}: {before} → {}", at(change, "/value")));
    }
    let body = verdict(&shown, "The invoice was indeed paid twice.");
    frank.post(&format!("/v1/proposals/{id}/approve"), &body).await?.good()?;
    output.line("  he approves exactly that");
    Ok(())
}

async fn sign_in(stage: &Stage, link: &str) -> anyhow::Result<Client> {
    let body = json!({ "link": link });
    let answer = Client::new(&stage.people_url, "")?.post("/v1/sign-in", &body).await?.good()?;
    Client::new(&stage.people_url, at(&answer, "/session").as_str().context("no session")?)
}

/// Olga, the auditor, takes the log away and verifies it without the gate.
async fn verify_log(stage: &Stage, output: &mut Output) -> anyhow::Result<u8> {
    let link = auth::invite(&stage.gate, "olga").await.map_err(crate::serve::stopped)?;
    let olga = sign_in(stage, &link).await?;
    let file = stage.setup.dir.join("log.export");
    std::fs::write(&file, olga.text("/v1/log/export").await?)?;
    output.line("");
    output.line(&format!("the log, exported to {} and verified offline:", file.display()));
    let answer = verify_file(&file, Expected::default())?;
    describe_finding(&answer, output);
    Ok(if matches!(answer.finding, Finding::Broken { .. }) { BROKEN } else { DONE })
}
