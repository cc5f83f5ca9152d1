//! The story: what the agent proposes, what the gate answers, what a person decides.

use countersign_core::audit::{Expected, Finding};
use countersign_core::id::ProposalId;
use countersign_core::proposal::StateName;
use countersign_engine::gate::Gate;
use serde_json::{Value, json};

use super::setup::{Setup, next_round};

use crate::shell::{BROKEN, Client, DONE, Output, REFUSED, describe_finding, verdict, verify_file};
use crate::surface::{auth, changes};
use crate::wire::{AgentProposal, NewSession, PersonProposal, ProblemBody, ProposeBody, SignInBody};

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
        let body = ProposeBody {
            action: scene.action.to_owned(),
            input: scene.input.clone(),
            on_behalf_of: Some("ann".to_owned()),
            reason: Some(scene.reason.to_owned()),
            run: None,
            evidence: Vec::new(),
            dry_run: false,
        };
        let key = format!("demo-{}-{}", stage.setup.round, scene.name);
        let answer = agent.post_once("/v1/proposals", &body, &key).await?;
        if answer.status >= 400 {
            show_problem(answer.status, &answer.read()?, output);
            continue;
        }
        let proposal: AgentProposal = answer.read()?;
        show_proposal(answer.status, &proposal, output);
        if answer.status == 202 {
            waiting = proposal.id;
        }
    }
    let mut code = DONE;
    if let Some(id) = waiting {
        code = wait_for_person(stage, &agent, id, output).await?;
    }
    let verified = verify_log(stage, output).await?;
    next_round(&stage.setup)?;
    Ok(if verified == DONE { code } else { verified })
}

/// Where people can look around after the story. The log is for auditors, so Olga gets a link, too.
pub(super) async fn show_around(stage: &Stage, output: &mut Output) -> anyhow::Result<()> {
    let link = auth::invite(&stage.gate, "olga").await.map_err(crate::serve::stopped)?;
    let people = &stage.people_url;
    output.line("");
    output.line("The gate stays up until Ctrl-C. Look around, signed in as Frank:");
    output.row(&[("", 0), ("Inbox", 7), (&format!("{people}/"), 0)]);
    output.row(&[("", 0), ("History", 7), (&format!("{people}/history"), 0)]);
    output.line("The log is for auditors. Open this link to sign in as Olga; it works once:");
    output.line(&format!("  {people}/sign-in/{link}"));
    output.row(&[("", 0), ("Log", 7), (&format!("{people}/log"), 0)]);
    let environment = stage.setup.dir.join("env.sh");
    output.line("The commands of the guides (docs/guide) work against it, in another terminal after:");
    output.line(&format!("  . {}", environment.display()));
    Ok(())
}

fn show_problem(status: u16, problem: &ProblemBody, output: &mut Output) {
    output.line(&format!("  {status} {}: {}", problem.code, problem.detail));
    for error in problem.errors.iter().flatten() {
        output.line(&format!("      {}: {}", error.pointer, error.detail));
    }
}

fn show_proposal(status: u16, proposal: &AgentProposal, output: &mut Output) {
    output.line(&format!("  {status} {}: {}", proposal.state.as_str(), proposal.message));
    for effect in &proposal.effects {
        output.line(&format!("      {effect}"));
    }
    if let Some(result) = &proposal.result {
        output.line(&format!("      result {result}"));
    }
}

async fn wait_for_person(
    stage: &Stage,
    agent: &Client,
    id: ProposalId,
    output: &mut Output,
) -> anyhow::Result<u8> {
    let link = auth::invite(&stage.gate, "frank").await.map_err(crate::serve::stopped)?;
    output.line("");
    let now: AgentProposal = agent.get(&format!("/v1/proposals/{id}")).await?.good()?;
    if now.state == StateName::Pending {
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
        let told: AgentProposal = agent.get(&format!("/v1/proposals/{id}?wait=30")).await?.good()?;
        if !told.state.is_settled() {
            continue;
        }
        let done = told.state == StateName::Succeeded;
        if done {
            output.line("the agent, which waited, is told:");
        }
        show_proposal(200, &told, output);
        return Ok(if done { DONE } else { REFUSED });
    }
}

async fn approve_as_frank(
    stage: &Stage,
    link: &str,
    id: ProposalId,
    output: &mut Output,
) -> anyhow::Result<()> {
    let frank = sign_in(stage, link).await?;
    let shown: PersonProposal = frank.get(&format!("/v1/proposals/{id}")).await?.good()?;
    output.line(&format!("  he sees: {}", shown.card.headline));
    for change in changes(&shown.card.preview).changed {
        output.line(&format!("      {}", change.to_text()));
    }
    let body = verdict(&shown, "The invoice was indeed paid twice.")?;
    frank.post(&format!("/v1/proposals/{id}/approve"), &body).await?.good::<PersonProposal>()?;
    output.line("  he approves exactly that");
    Ok(())
}

async fn sign_in(stage: &Stage, link: &str) -> anyhow::Result<Client> {
    let body = SignInBody { link: link.to_owned() };
    let signed_in: NewSession =
        Client::new(&stage.people_url, "")?.post("/v1/sign-in", &body).await?.good()?;
    Client::new(&stage.people_url, &signed_in.session)
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
