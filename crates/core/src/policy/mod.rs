//! Policy: Cedar, embedded, deny by default.
//!
//! An annotated forbid is a *gate*: the loader adds `unless { context.approvals.contains("<its id>") }`, so
//! that people can lift it and nothing else can. Whatever cannot be decided is denied: no policy, no
//! permit, a policy that fails, a request that does not fit the schema. Never allows on an error.

mod decide;
mod est;
mod identity;
mod lint;
mod load;
mod request;
mod schema;
mod sees;
mod shape;
mod slice;
mod unread;
mod validate;
mod value;

pub(crate) use schema::is_taken;

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use cedar_policy::{Authorizer, Policy, PolicyId, PolicySet};

use crate::action::{Action, ActionName, Registry, Rendering};
use crate::approval::Rules;
use crate::decision::{Decision, PolicyInput, PolicyLink, PolicyRef, decision_digest};
use crate::digest::{Digest, Hasher, domain};
use crate::directory::{Chain, Directory, Link};
use crate::json::CanonicalInput;
use crate::preview::Fidelity;
use crate::problem::{Problem, Severity, SourceFile};
use crate::time::Timestamp;

use identity::{Identities, Identity, Types};
use request::{Asked, RequestParts};
use shape::{ActionShape, Fields};
use slice::{ActionScope, Cut, Slice};
use unread::UnreadSlice;

pub use unread::Unread;

/// Everything one decision depends on.
#[derive(Debug, Clone, Copy)]
pub struct Query<'a> {
    /// The action.
    pub action: &'a Action,
    /// The validated input.
    pub input: &'a CanonicalInput,
    /// Who acts.
    pub chain: &'a Chain,
    /// Who exists, now: the directory that the policies were loaded with.
    pub directory: &'a Directory,
    /// Resource, risk, environment.
    pub rendering: &'a Rendering,
    /// How faithful the preview is.
    pub fidelity: Fidelity,
    /// The agent's run label, if any.
    pub run: Option<&'a str>,
    /// Now.
    pub now: Timestamp,
}

impl Query<'_> {
    /// What the decision keeps of the question.
    fn given(&self, approved: &BTreeSet<String>) -> PolicyInput {
        let link = |link: &Link| {
            let (id, owner) = match link {
                Link::Person { id, .. } => (id, None),
                Link::Agent { id, .. } => (id, self.directory.agent(id).map(|agent| agent.owner.clone())),
            };
            let teams = self.directory.teams_of(link).into_iter().map(ToOwned::to_owned).collect();
            PolicyLink { id: id.clone(), teams, owner }
        };
        PolicyInput {
            at: self.now,
            links: self.chain.links().iter().map(link).collect(),
            fidelity: self.fidelity,
            run: self.run.map(ToOwned::to_owned),
            approved: approved.iter().cloned().collect(),
        }
    }

    /// The parts that policy reads.
    fn asked(&self) -> Asked<'_> {
        Asked {
            action: self.action.name.as_str(),
            input: self.input.value(),
            chain: self.chain,
            rendering: self.rendering,
            fidelity: self.fidelity,
            run: self.run,
            now: self.now,
        }
    }
}

/// What a decision says about a policy.
#[derive(Debug)]
struct KnownPolicy {
    policy: PolicyRef,
    /// For a gate: the approval rules it asks for.
    rules: Option<Vec<String>>,
}

/// The loaded policy set. Immutable; loaded together with one registry, directory and set of rules.
#[derive(Debug)]
pub struct Policies {
    authorizer: Authorizer,
    vocabulary: RequestParts,
    /// By the full name of the action.
    slices: BTreeMap<String, Slice>,
    /// The same for what can be decided without the record; only of actions that read one.
    unread: BTreeMap<String, UnreadSlice>,
    /// By policy id.
    known: BTreeMap<String, KnownPolicy>,
    rule_digests: BTreeMap<String, Digest>,
    digest: Digest,
    /// The decision digest of no gates at all.
    no_gates: Digest,
}

/// What the policies are loaded against.
#[derive(Debug, Clone, Copy)]
struct Surroundings<'a> {
    directory: &'a Directory,
    /// The digest of every approval rule, by name.
    rules: &'a BTreeMap<String, Digest>,
    environments: &'a [String],
}

impl Policies {
    /// Reads, checks and prepares `policies/*.cedar`.
    ///
    /// Gives the set and what is careless in it, or every mistake that was found with file and line.
    pub fn load(
        files: &[SourceFile],
        registry: &Registry,
        directory: &Directory,
        rules: &Rules,
        environments: &[String],
    ) -> Result<(Self, Vec<Problem>), Vec<Problem>> {
        let shapes: Vec<ActionShape> = registry.actions().map(|a| ActionShape::from(a.as_ref())).collect();
        let digests = rules.iter().map(|r| (r.name.clone(), r.digest)).collect();
        Self::load_shapes(files, &shapes, Surroundings { directory, rules: &digests, environments })
    }

    /// What is wrong with `policies/*.cedar` whatever the actions are: for a gate directory whose actions,
    /// people or rules are wrong themselves, so that one check lists as much as it can.
    pub fn misread(files: &[SourceFile], rules: Option<&Rules>) -> Vec<Problem> {
        match rules {
            Some(rules) => {
                load::read_all(files, &rules.iter().map(|r| (r.name.clone(), r.digest)).collect()).1
            }
            None => files.iter().filter_map(|file| load::parse(file).err()).flatten().collect(),
        }
    }

    /// Decides. `approved`: ids of the gates whose rules are met now.
    ///
    /// The question is first asked as if nothing were approved. That gives the gates, and the decision
    /// digest is always over them: what an approval answers to does not depend on how many others are
    /// there already. With every one of those gates in `approved`, and a last plain evaluation that
    /// agrees, the answer is `Allow` under the same digest; otherwise all of them are named again.
    /// An id in `approved` that is no gate of this action changes nothing.
    pub fn decide(&self, query: &Query<'_>, approved: &BTreeSet<String>) -> Decision {
        Decision { given: Some(Box::new(query.given(approved))), ..self.answer(&query.asked(), approved) }
    }

    /// Decides what can be decided before the record is read. The rendering is that of
    /// [`Action::unread_rendering`]; no policy is asked that reads more of them than is known.
    pub fn decide_unread(&self, query: &Query<'_>) -> Unread {
        match self.answer_unread(&query.asked()) {
            Unread::Denied(decision) => {
                let given = Some(Box::new(query.given(&BTreeSet::new())));
                Unread::Denied(Box::new(Decision { given, ..*decision }))
            }
            read @ Unread::Read { .. } => read,
        }
    }

    /// Digest of the set: of every file's path and text.
    pub const fn digest(&self) -> Digest {
        self.digest
    }

    /// The digest of each policy's text, by id.
    pub fn digests(&self) -> BTreeMap<String, Digest> {
        self.known.iter().map(|(id, known)| (id.clone(), known.policy.digest)).collect()
    }

    /// The actions that some permit's scope could allow for every link of the chain, and that no forbid without a
    /// condition denies, in order of name.
    ///
    /// Conditions are not looked at, so this is for listing: what is not in it is certainly denied.
    pub fn reachable(&self, chain: &Chain, registry: &Registry) -> Vec<ActionName> {
        let mut names: Vec<ActionName> = registry
            .actions()
            .filter(|action| self.may_reach(chain, action.name.as_str()))
            .map(|action| action.name.clone())
            .collect();
        names.sort_unstable();
        names
    }

    fn may_reach(&self, chain: &Chain, action: &str) -> bool {
        let links: Option<Vec<&Identity>> =
            chain.links().iter().map(|l| self.vocabulary.identities.get(l)).collect();
        let slice = self.slices.get(action);
        links.zip(slice).is_some_and(|(links, slice)| {
            !links.is_empty() && links.into_iter().all(|link| slice.may_permit(link))
        })
    }

    /// The approval rules that some gate could ask for when this chain proposes what it may, in order of name.
    ///
    /// Like [`Policies::reachable`] it looks at scopes only: a rule that is not in it is certainly not asked for.
    pub fn rules_asked(&self, chain: &Chain) -> Vec<String> {
        let links: Vec<&Identity> =
            chain.links().iter().filter_map(|l| self.vocabulary.identities.get(l)).collect();
        let slices = self.slices.iter().filter(|(action, _)| self.may_reach(chain, action));
        let gates = slices.flat_map(|(_, slice)| links.iter().flat_map(|link| slice.may_ask(link)));
        let known = gates.filter_map(|gate| {
            let id: &str = gate.id().as_ref();
            self.known.get(id)
        });
        let rules: BTreeSet<&String> = known.filter_map(|k| k.rules.as_ref()).flatten().collect();
        rules.into_iter().cloned().collect()
    }

    fn rule_digest(&self, name: &str) -> Digest {
        // Every rule of a gate was looked up at load; a name without one gets a digest equal to no rule's.
        self.rule_digests.get(name).copied().unwrap_or_else(|| Digest::of(domain::RULE, name.as_bytes()))
    }

    fn load_shapes(
        files: &[SourceFile],
        shapes: &[ActionShape],
        around: Surroundings<'_>,
    ) -> Result<(Self, Vec<Problem>), Vec<Problem>> {
        Self::load_sliced(files, shapes, around, Cut::CLOSE)
    }

    fn load_sliced(
        files: &[SourceFile],
        shapes: &[ActionShape],
        around: Surroundings<'_>,
        cut: Cut,
    ) -> Result<(Self, Vec<Problem>), Vec<Problem>> {
        let types = Types::new()?;
        let inputs: Vec<Fields> = shapes.iter().map(|s| shape::input_fields(&s.schema)).collect();
        let schema = schema::generate(shapes, &inputs, around.environments, &BTreeMap::new())?;
        let scopes: Vec<ActionScope> = shapes.iter().filter_map(|s| ActionScope::new(s, &types)).collect();

        let (written, mut problems) = load::read_all(files, around.rules);
        problems.extend(validate::validate(files, &written, &schema));
        let known = lint::KnownNames::new(around.directory, shapes);
        for policy in &written {
            let applies = scopes.iter().zip(&inputs).filter(|(scope, _)| scope.admits(&policy.policy));
            let inputs: Vec<&Fields> = applies.map(|(_, input)| input).collect();
            problems.extend(lint::lint(policy, &inputs, &known));
        }
        problems.sort_by(|a, b| {
            (&a.file, a.line, a.severity, &a.message).cmp(&(&b.file, b.line, b.severity, &b.message))
        });
        // The validator says the same once for each kind of principal.
        problems.dedup();
        if problems.iter().any(|p| p.severity == Severity::Error) {
            return Err(problems);
        }
        let effective = lift_all(&written, &schema)?;
        let mut slices = BTreeMap::new();
        let mut unread = BTreeMap::new();
        for (scope, (shape, input)) in scopes.into_iter().zip(shapes.iter().zip(&inputs)) {
            let no_set = || {
                let message = format!("the policies for `{}` do not make a set", shape.name);
                vec![Problem::error("policies", 0, message, "Give every policy an id of its own.")]
            };
            if shape.record.read {
                let some = UnreadSlice::new(&scope, input, &effective, shape.record).ok_or_else(no_set)?;
                unread.insert(shape.name.clone(), some);
            }
            let slice = Slice::new(scope, input.clone(), &effective, cut).ok_or_else(no_set)?;
            slices.insert(shape.name.clone(), slice);
        }
        let identities = Identities::new(around.directory, &types, &schema)?;
        // Policies were checked against all there is to read; a request has only what they do read.
        let sees = slices.iter().map(|(name, slice)| (name.as_str(), &slice.sees)).collect();
        let narrow = schema::generate(shapes, &inputs, around.environments, &sees)?;
        let sees = unread.iter().map(|(name, unread)| (name.as_str(), unread.sees())).collect();
        let narrower = schema::generate(shapes, &inputs, around.environments, &sees)?;
        let policies = Self {
            authorizer: Authorizer::new(),
            vocabulary: RequestParts::new(&types, (narrow, narrower), identities, around.environments),
            slices,
            unread,
            known: written.into_iter().map(|w| (w.id.clone(), describe(w))).collect(),
            rule_digests: around.rules.clone(),
            digest: set_digest(files),
            no_gates: decision_digest(&[], |rule| Digest::of(domain::RULE, rule.as_bytes())),
        };
        Ok((policies, problems))
    }
}

fn describe(written: load::Written) -> KnownPolicy {
    let digest = written.place.digest();
    KnownPolicy { policy: PolicyRef { id: written.id, digest, reason: written.reason }, rules: written.rules }
}

/// The policies as they are evaluated: gates with their generated condition, by id, each with whether it is
/// a gate.
fn lift_all(
    written: &[load::Written],
    schema: &cedar_policy::Schema,
) -> Result<BTreeMap<String, (Policy, bool)>, Vec<Problem>> {
    let mut effective = BTreeMap::new();
    for policy in written {
        let lifted = match policy.rules {
            None => Some(policy.policy.clone()),
            Some(_) => lift(policy),
        };
        let lifted = lifted.ok_or_else(|| {
            let message = format!("the gate `{}` cannot be given its condition", policy.id);
            vec![policy.place.error("@approval", message, "Write its conditions more simply.")]
        })?;
        effective.insert(policy.id.clone(), (lifted, policy.rules.is_some()));
    }
    let set = PolicySet::from_policies(effective.values().map(|(policy, _)| policy.clone()));
    let problems = match set {
        Ok(set) => validate::validate_lifted(&set, schema),
        Err(e) => vec![Problem::error("policies", 0, e.to_string(), "Give every policy an id of its own.")],
    };
    if problems.is_empty() { Ok(effective) } else { Err(problems) }
}

/// A gate with its condition.
///
/// It is made twice, from the parsed form and from the text, and used only if both are the same policy: the
/// one place where this gate writes policy must not depend on one reader being right (R26).
fn lift(gate: &load::Written) -> Option<Policy> {
    let id = PolicyId::new(&gate.id);
    let from_form = Policy::from_json(Some(id.clone()), est::lifted(&gate.est, &gate.id)?).ok()?;
    let text = est::lifted_text(gate.place.text(), &gate.id)?;
    let from_text = Policy::parse(Some(id), text).ok()?;
    (from_form == from_text).then_some(from_form)
}

fn set_digest(files: &[SourceFile]) -> Digest {
    let mut texts: Vec<(&str, Digest)> =
        files.iter().map(|f| (f.path.as_str(), Digest::of(domain::POLICY, f.text.as_bytes()))).collect();
    texts.sort_unstable();
    let hasher = Hasher::new(domain::POLICY_SET);
    texts.iter().fold(hasher, |h, (path, text)| h.field(path.as_bytes()).field(text.as_bytes())).finish()
}
