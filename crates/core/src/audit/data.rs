//! What each event of the log holds: one shape for each code. Digests and commitments stand in place of payloads,
//! which live beside the log and may be erased (T122).

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::action::{ActionName, EffectClass, Precondition, Resource, Risk, Undo};
use crate::approval::{Approval, Standing};
use crate::decision::Decision;
use crate::digest::Digest;
use crate::id::{AttemptId, ProposalId};
use crate::outcome::Cause;
use crate::preview::Fidelity;
use crate::proposal::{Clock, RefusedCode, StateName};
use crate::time::Timestamp;

macro_rules! shapes {
    ($($(#[$doc:meta])* $name:ident { $($(#[$field_doc:meta])* $field:ident: $type:ty,)* })*) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
        #[serde(deny_unknown_fields)]
        pub struct $name { $($(#[$field_doc])* pub $field: $type,)* }
    )*};
}

/// Nothing beyond what every entry holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Empty {}

shapes! {
    /// Under which rules a process began to serve.
    GateStarted {
        /// The process.
        owner: String,
        /// Digest of the gate directory.
        rule_set: Digest,
        /// Digest of its policies.
        policy_set: Digest,
        /// The build's version.
        version: String,
        /// The log's origin.
        origin: String,
        /// What the witness file said of the database: `new`, `held`, `moved` or `differs`.
        witness: String,
        /// What differs; none unless it does.
        differs: Option<String>,
    }

    /// Which rules took the place of which.
    GateReloaded {
        /// Digest of the gate directory in force from here on.
        rule_set: Digest,
        /// The one before.
        previous: Digest,
        /// Digest of the policies in force from here on.
        policy_set: Digest,
    }

    /// Why a gate directory was not put in force.
    ReloadRefused {
        /// Digest of the one that stays in force.
        rule_set: Digest,
        /// What is wrong with the new one.
        problems: Vec<String>,
        /// How many further mistakes are not listed.
        not_listed: u64,
    }

    /// A place in a log.
    LogHead {
        /// Entries.
        size: u64,
        /// Root of the tree over them.
        root: Digest,
    }

    /// What was lost, and what was closed.
    GateRestored {
        /// How far the log of the database goes.
        found: Option<LogHead>,
        /// How far it went when it was served last.
        recorded: Option<LogHead>,
        /// The database's incarnation before.
        previous_incarnation: String,
        /// Its incarnation from here on.
        incarnation: String,
        /// Proposals that were cancelled.
        cancelled: u64,
        /// Dispatches that became unknown.
        unknown: u64,
        /// Proposals that could not be closed.
        left: u64,
    }

    /// A request that made no proposal.
    Invalid {
        /// The agent.
        agent: String,
        /// The action that it named, at most 255 bytes of it.
        action: String,
        /// The commitment to its input; none when the input was not valid.
        input: Option<Digest>,
        /// Bytes of its input as canonical JSON.
        input_bytes: u64,
        /// The refusal's code.
        code: String,
        /// JSON pointers to what is wrong with the input.
        pointers: Vec<String>,
    }

    /// A dry run.
    Previewed {
        /// The action.
        action: ActionName,
        /// Digest of its manifest.
        revision: Digest,
        /// The commitment to the input.
        input: Digest,
        /// What is touched.
        resource: Resource,
        /// Where.
        environment: String,
        /// Typed risk.
        risk: Risk,
        /// The intent digest.
        intent: Digest,
        /// What policy said.
        decision: Decision,
    }

    /// What was read for a preview, without the record.
    Seen {
        /// How faithful it is.
        fidelity: Fidelity,
        /// When.
        at: Timestamp,
        /// From where.
        source: Option<String>,
    }

    /// A proposal and its decision.
    Opened {
        /// The action.
        action: ActionName,
        /// Digest of its manifest.
        revision: Digest,
        /// The commitment to the input.
        input: Digest,
        /// What is touched.
        resource: Resource,
        /// Where.
        environment: String,
        /// Typed risk.
        risk: Risk,
        /// The intent digest: what is decided on.
        intent: Digest,
        /// What policy said.
        decision: Decision,
        /// What people must add; empty unless policy asks for them.
        needs: Vec<Standing>,
        /// What was read.
        preview: Seen,
        /// The agent's run.
        run: Option<String>,
        /// The commitment to the agent's words.
        words: Option<Digest>,
        /// The commitment to what the agent attached.
        evidence: Option<Digest>,
        /// What the manifest says about going back.
        undo: Undo,
    }

    /// A rule under which a person may decide.
    Eligible {
        /// The rule's name.
        rule: String,
        /// The entry of its `who` that names them.
        through: String,
    }

    /// A person's "yes".
    Approved {
        /// Their statement.
        approval: Approval,
        /// Whether it was the last one needed.
        complete: bool,
        /// The rules under which this person may decide, and why.
        eligible: Vec<Eligible>,
        /// What people must add, with everybody who has approved by now.
        needs: Vec<Standing>,
    }

    /// A person's "no".
    Rejected {
        /// What they wrote.
        reason: String,
        /// Through which surface.
        channel: String,
        /// The intent digest that they answered to.
        intent: Digest,
    }

    /// A deadline that passed.
    Expired {
        /// Which one.
        clock: Clock,
    }

    /// What took its place.
    Superseded {
        /// The other proposal.
        by: ProposalId,
    }

    /// What holds after it was decided again.
    Revised {
        /// What changed, in words.
        because: String,
        /// The state before.
        from: StateName,
        /// The state after.
        to: StateName,
        /// The intent digest.
        intent: Digest,
        /// The intent digest before.
        previous_intent: Digest,
        /// What is touched.
        resource: Resource,
        /// Typed risk.
        risk: Risk,
        /// What policy said.
        decision: Decision,
        /// What people must add, with everybody whose approval still counts.
        needs: Vec<Standing>,
        /// What was read.
        preview: Seen,
    }

    /// Why it will never run.
    Refused {
        /// Why.
        code: RefusedCode,
        /// In words.
        detail: String,
        /// How it was decided again, when that is why.
        decided: Option<Box<Revised>>,
    }

    /// The recorded start of the call.
    Dispatched {
        /// The attempt.
        attempt: AttemptId,
        /// The process that makes the call.
        owner: String,
        /// The intent digest of what is sent.
        intent: Digest,
        /// What policy said at this moment, with the approvals that were there: a plain allow.
        decision: Decision,
        /// The people whose approvals it rests on.
        approved_by: Vec<String>,
        /// The connector that makes the call.
        connector: String,
        /// The name of the credential that it is sent with.
        credential: Option<String>,
        /// What must still be true of the record.
        precondition: Precondition,
        /// What the upstream does with a repeated call.
        effect: EffectClass,
    }

    /// What the log keeps of an answer.
    Answered {
        /// The upstream's status.
        status: u16,
        /// The commitment to its body.
        body: Digest,
        /// Bytes of its body as canonical JSON.
        bytes: u64,
        /// Whether a secret was removed from it.
        scrubbed: bool,
    }

    /// What became of an attempt.
    Finished {
        /// The attempt.
        attempt: AttemptId,
        /// Why, unless it succeeded.
        cause: Option<Cause>,
        /// What the upstream answered, if it did.
        response: Option<Answered>,
        /// What the manifest says about going back.
        undo: Undo,
    }

    /// A result that came after its attempt had been given up.
    LateResult {
        /// The attempt.
        attempt: AttemptId,
        /// What it would have been: `succeeded`, `failed` or `unknown`.
        outcome: StateName,
        /// Why, unless it succeeded.
        cause: Option<Cause>,
        /// What the upstream answered, if it did.
        response: Option<Answered>,
    }

    /// Another request for the same effect.
    Joined {
        /// The intent digest of both.
        intent: Digest,
        /// Digest of the request, when it came with an idempotency key.
        request: Option<Digest>,
        /// The agent's words.
        reason: Option<String>,
        /// The agent's run.
        run: Option<String>,
    }

    /// What is wrong with a stored row.
    Quarantined {
        /// In words.
        why: String,
    }

    /// Who had a stored row checked again.
    Repaired {
        /// The operator.
        by: String,
    }

    /// How often one limit was reached.
    Reached {
        /// The limit's name in `[limits]`.
        limit: String,
        /// How often.
        times: u64,
    }

    /// How often an agent reached its limits.
    AgentLimited {
        /// The agent.
        agent: String,
        /// Each limit that it reached.
        reached: Vec<Reached>,
    }

    /// A one-time sign-in link.
    LinkMade {
        /// For whom.
        person: String,
        /// Until when it is good.
        expires: Timestamp,
    }

    /// A token for the log.
    LogTokenMade {
        /// For whom.
        person: String,
        /// How long it works.
        expires: Timestamp,
    }

    /// Tokens for the log that work no more.
    LogTokensRevoked {
        /// Whose.
        person: String,
        /// How many.
        tokens: u64,
    }

    /// A sign-in link that was refused.
    SignInRefused {
        /// How many more were refused since the entry before.
        not_recorded_before: u64,
    }

    /// How a person signed in.
    SignedIn {
        /// By what.
        by: String,
    }
}
