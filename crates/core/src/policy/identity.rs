//! People, agents and teams of the directory as Cedar entities, made once when the policies are loaded.
//!
//! Each link of a chain comes with everything that a policy can reach from it: all its teams as ancestors,
//! and for an agent the person who owns it. A missing one would make `in` quietly false. Teams themselves
//! are not in the slice: a policy that asks a named entity for its parents is refused by the lints.

use std::collections::{BTreeMap, BTreeSet};
use std::str::FromStr;

use cedar_policy::{Entities, Entity, EntityId, EntityTypeName, EntityUid, RestrictedExpression, Schema};

use super::schema::fragment;
use crate::directory::{Directory, Link, LinkProof};
use crate::problem::Problem;

/// The entity types of the core vocabulary.
#[derive(Debug, Clone)]
pub(super) struct Types {
    pub(super) action: EntityTypeName,
    pub(super) agent: EntityTypeName,
    pub(super) environment: EntityTypeName,
    pub(super) person: EntityTypeName,
    pub(super) preview: EntityTypeName,
    pub(super) system: EntityTypeName,
    pub(super) team: EntityTypeName,
}

impl Types {
    /// Parses the names once. They are constants, so this succeeds or the build is broken.
    pub(super) fn new() -> Result<Self, Vec<Problem>> {
        let parse = |name: &str| {
            EntityTypeName::from_str(name).map_err(|e| {
                let message = format!("the core word `{name}` is not accepted: {}", fragment(&e.to_string()));
                vec![Problem::error("policies", 0, message, "Report this: the build is broken.")]
            })
        };
        Ok(Self {
            action: parse("Action")?,
            agent: parse("Agent")?,
            environment: parse("Environment")?,
            person: parse("Person")?,
            preview: parse("PreviewLevel")?,
            system: parse("System")?,
            team: parse("Team")?,
        })
    }
}

/// `Type::"id"`, without any parsing of the id.
pub(super) fn uid(type_name: &EntityTypeName, id: &str) -> EntityUid {
    EntityUid::from_type_name_and_id(type_name.clone(), EntityId::new(id))
}

/// One possible link of a chain.
#[derive(Debug)]
pub(super) struct Identity {
    pub(super) uid: EntityUid,
    /// Every team it is in, directly or not.
    pub(super) teams: BTreeSet<EntityUid>,
    /// The person who owns it, if it is an agent.
    owner: Option<String>,
    entity: Entity,
}

/// Everybody who can be a link of a chain.
#[derive(Debug)]
pub(super) struct Identities {
    people: BTreeMap<String, Identity>,
    agents: BTreeMap<String, Identity>,
}

impl Identities {
    /// Makes the entities and checks them against the schema.
    pub(super) fn new(directory: &Directory, types: &Types, schema: &Schema) -> Result<Self, Vec<Problem>> {
        let broken = |e: String| {
            let message = format!("the directory gives no valid entities: {}", fragment(&e));
            vec![Problem::error("directory.toml", 0, message, "Look for a team that is its own parent.")]
        };
        let mut people = BTreeMap::new();
        for (name, _) in directory.people() {
            let link = Link::Person { id: name.to_owned(), proof: LinkProof::Claimed };
            let identity = Identity::new(&link, None, directory, types).map_err(broken)?;
            people.insert(name.to_owned(), identity);
        }
        let mut agents = BTreeMap::new();
        for (name, agent) in directory.agents() {
            let link = Link::Agent { id: name.to_owned(), proof: LinkProof::Key, issuer: None };
            let owner = Some(agent.owner.as_str());
            let identity = Identity::new(&link, owner, directory, types).map_err(broken)?;
            agents.insert(name.to_owned(), identity);
        }
        let team = |name: &str| uid(&types.team, name);
        let teams = directory.teams().map(|(name, entry)| {
            Entity::new_no_attrs(team(name), entry.parents.iter().map(|parent| team(parent)).collect())
        });
        let links = people.values().chain(agents.values()).map(|i| i.entity.clone());
        Entities::from_entities(teams.chain(links), Some(schema)).map_err(|e| broken(e.to_string()))?;
        Ok(Self { people, agents })
    }

    /// One link, if the directory knows it.
    pub(super) fn get(&self, link: &Link) -> Option<&Identity> {
        match link {
            Link::Person { id, .. } => self.person(id),
            Link::Agent { id, .. } => self.agent(id),
        }
    }

    /// One person, if the directory knows them.
    pub(super) fn person(&self, id: &str) -> Option<&Identity> {
        self.people.get(id)
    }

    /// One agent, if the directory knows it.
    pub(super) fn agent(&self, id: &str) -> Option<&Identity> {
        self.agents.get(id)
    }

    /// The entities that policies can reach from these links: themselves and their owners, each once.
    pub(super) fn reachable_from<'a>(
        &'a self,
        links: &[&'a Identity],
    ) -> impl Iterator<Item = &'a Entity> + use<'a> {
        let owners = links.iter().filter_map(|l| self.people.get(l.owner.as_ref()?));
        let all = links.iter().copied().chain(owners).map(|identity| (&identity.uid, &identity.entity));
        all.collect::<BTreeMap<_, _>>().into_values()
    }
}

impl Identity {
    /// The parents are all teams, also the indirect ones, so that no team has to come along.
    fn new(link: &Link, owner: Option<&str>, directory: &Directory, types: &Types) -> Result<Self, String> {
        let own = link_uid(link, types);
        let teams: BTreeSet<EntityUid> =
            directory.teams_of(link).into_iter().map(|t| uid(&types.team, t)).collect();
        let attribute =
            |id| ("owner".to_owned(), RestrictedExpression::new_entity_uid(uid(&types.person, id)));
        let attributes = owner.map(attribute).into_iter().collect();
        let entity = Entity::new(own.clone(), attributes, teams.iter().cloned().collect());
        let entity = entity.map_err(|e| e.to_string())?;
        Ok(Self { uid: own, teams, owner: owner.map(str::to_owned), entity })
    }
}

fn link_uid(link: &Link, types: &Types) -> EntityUid {
    match link {
        Link::Person { id, .. } => uid(&types.person, id),
        Link::Agent { id, .. } => uid(&types.agent, id),
    }
}
