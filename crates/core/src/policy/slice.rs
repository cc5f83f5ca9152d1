//! One small policy set per registered action, made at load: Cedar walks every policy it is given, so the
//! cost of a decision would otherwise grow with policies for other actions.
//!
//! Only scope is looked at. A policy is left out when its scope cannot match the action or its resource,
//! so that leaving it out changes neither the answer nor the reasons nor the errors.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use cedar_policy::{
    ActionConstraint, Effect, Entities, Entity, EntityTypeName, EntityUid, Policy, PolicySet,
    PrincipalConstraint, ResourceConstraint,
};

use super::identity::{Identity, Types, uid};
use super::schema::{ANY, group_parents};
use super::sees::Sees;
use super::shape::{ActionShape, Fields};

/// The scope of one action: what a policy's head can name.
#[derive(Debug, Clone)]
pub(super) struct ActionScope {
    pub(super) uid: EntityUid,
    pub(super) groups: BTreeSet<EntityUid>,
    pub(super) resource_type: EntityTypeName,
    pub(super) system: EntityUid,
}

impl ActionScope {
    /// From a registered action. `None` when its resource type is not a Cedar name, which the schema has
    /// refused already.
    pub(super) fn new(shape: &ActionShape, types: &Types) -> Option<Self> {
        let group = |name: &str| uid(&types.action, name);
        let own = shape.groups.iter().flat_map(|g| [g.name(), group_parents(*g)]);
        Some(Self {
            uid: uid(&types.action, &shape.name),
            groups: own.chain([ANY]).map(group).collect(),
            resource_type: shape.resource_type.parse().ok()?,
            system: uid(&types.system, &shape.system),
        })
    }

    /// Whether a policy's scope can match this action and some resource of it.
    pub(super) fn admits(&self, policy: &Policy) -> bool {
        let named = |of: &EntityUid| *of == self.uid || self.groups.contains(of);
        let action = match policy.action_constraint() {
            ActionConstraint::Any => true,
            ActionConstraint::Eq(one) => one == self.uid,
            ActionConstraint::In(some) => some.iter().any(named),
        };
        // A resource is in itself and in its system, in nothing else.
        let within = |of: &EntityUid| *of == self.system || *of.type_name() == self.resource_type;
        action
            && match policy.resource_constraint() {
                ResourceConstraint::Any => true,
                ResourceConstraint::Eq(one) => *one.type_name() == self.resource_type,
                ResourceConstraint::In(of) => within(&of),
                ResourceConstraint::Is(kind) => kind == self.resource_type,
                ResourceConstraint::IsIn(kind, of) => kind == self.resource_type && within(&of),
            }
    }
}

impl ActionScope {
    /// Whether a policy that admits this action forbids it for every resource and without a condition.
    fn is_barred_by(&self, policy: &Policy) -> bool {
        let everywhere = match policy.resource_constraint() {
            ResourceConstraint::Any => true,
            ResourceConstraint::Is(kind) => kind == self.resource_type,
            ResourceConstraint::In(of) => of == self.system,
            ResourceConstraint::IsIn(kind, of) => kind == self.resource_type && of == self.system,
            ResourceConstraint::Eq(_) => false,
        };
        policy.effect() == Effect::Forbid && !policy.has_non_scope_constraint() && everywhere
    }
}

/// How a slice is cut; the property tests compare it with one that is not.
#[derive(Debug, Clone, Copy)]
pub(super) struct Cut {
    /// Which policies can apply to an action.
    pub(super) keep: fn(&ActionScope, &Policy) -> bool,
    /// What they read of a context with this input.
    pub(super) sees: fn(&[&Policy], &Fields) -> Sees,
}

impl Cut {
    /// As small as it can be.
    pub(super) const CLOSE: Self =
        Self { keep: ActionScope::admits, sees: |policies, input| Sees::of(policies.iter().copied(), input) };
}

/// Everything prepared for one action.
#[derive(Debug)]
pub(super) struct Slice {
    pub(super) scope: ActionScope,
    /// What its policies read of the context.
    pub(super) sees: Sees,
    /// The visible fields of the input.
    pub(super) input: Fields,
    /// The policies that can apply, gates with their generated condition.
    pub(super) set: PolicySet,
    /// Those of them that nobody can lift.
    pub(super) ungated: PolicySet,
    /// The gates among them, if there are any.
    pub(super) gates: Option<PolicySet>,
    /// The action, with its groups as ancestors, and its system.
    pub(super) entities: Entities,
    permits: Vec<PrincipalConstraint>,
    /// Whom the forbids name that nobody can lift, that have no condition, and that hold for every resource.
    barred: Vec<PrincipalConstraint>,
}

impl Slice {
    /// Keeps the policies that can apply, says the cut.
    pub(super) fn new(
        scope: ActionScope,
        input: Fields,
        policies: &BTreeMap<String, (Policy, bool)>,
        cut: Cut,
    ) -> Option<Self> {
        let kept = || policies.values().filter(|(policy, _)| (cut.keep)(&scope, policy));
        let gates: Vec<&Policy> = kept().filter(|(_, gate)| *gate).map(|(policy, _)| policy).collect();
        let ungated: Vec<&Policy> = kept().filter(|(_, gate)| !gate).map(|(policy, _)| policy).collect();
        let kept: Vec<&Policy> = kept().map(|(policy, _)| policy).collect();
        let set = |some: &[&Policy]| PolicySet::from_policies(some.iter().copied().cloned()).ok();
        let permits = ungated.iter().filter(|policy| policy.effect() == Effect::Permit);
        let bars = ungated.iter().filter(|policy| scope.is_barred_by(policy));
        Some(Self {
            sees: (cut.sees)(&kept, &input),
            permits: permits.map(|policy| policy.principal_constraint()).collect(),
            barred: bars.map(|policy| policy.principal_constraint()).collect(),
            set: set(&kept)?,
            ungated: set(&ungated)?,
            gates: if gates.is_empty() { None } else { Some(set(&gates)?) },
            entities: entities(&scope)?,
            scope,
            input,
        })
    }

    /// Whether the scope of some permit could match this link, whatever its conditions say, and no forbid matches it
    /// whatever the request is.
    pub(super) fn may_permit(&self, link: &Identity) -> bool {
        self.permits.iter().any(|constraint| may_match(constraint, link))
            && !self.barred.iter().any(|constraint| may_match(constraint, link))
    }

    /// The gates whose scope could match this link, whatever their conditions say.
    pub(super) fn may_ask<'a>(&'a self, link: &'a Identity) -> impl Iterator<Item = &'a Policy> {
        let gates = self.gates.iter().flat_map(PolicySet::policies);
        gates.filter(|gate| may_match(&gate.principal_constraint(), link))
    }
}

/// Whether the principal part of a policy's scope matches this link.
pub(super) fn may_match(constraint: &PrincipalConstraint, link: &Identity) -> bool {
    let within = |of: &EntityUid| *of == link.uid || link.teams.contains(of);
    match constraint {
        PrincipalConstraint::Any => true,
        PrincipalConstraint::Eq(one) => *one == link.uid,
        PrincipalConstraint::In(of) => within(of),
        PrincipalConstraint::Is(kind) => kind == link.uid.type_name(),
        PrincipalConstraint::IsIn(kind, of) => kind == link.uid.type_name() && within(of),
    }
}

/// The groups are parents of the action, all of them, so that none has to come along.
fn entities(scope: &ActionScope) -> Option<Entities> {
    let own = [
        Entity::new_no_attrs(scope.uid.clone(), scope.groups.iter().cloned().collect()),
        Entity::new_no_attrs(scope.system.clone(), HashSet::new()),
    ];
    Entities::from_entities(own, None).ok()
}
