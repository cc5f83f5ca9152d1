//! Who may approve, over many identity graphs, beside a model of its own.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use super::*;
use crate::directory::Directory;
use crate::problem::SourceFile;

/// Numbers that look random and are the same in every run (`SplitMix64`; Steele, Lea, Flood 2014).
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((z ^ (z >> 31)) >> 33).unwrap().checked_rem(sides).unwrap()
    }

    /// Some of so many.
    fn some(&mut self, of: usize, one_in: usize) -> BTreeSet<usize> {
        (0..of).filter(|_| self.roll(one_in) == 0).collect()
    }
}

const PEOPLE: usize = 6;
const TEAMS: usize = 3;
const AGENTS: usize = 3;

struct Person {
    teams: BTreeSet<usize>,
    disabled: bool,
}

struct Agent {
    owner: usize,
    for_people: BTreeSet<usize>,
    for_teams: BTreeSet<usize>,
}

struct Asks {
    people: BTreeSet<usize>,
    teams: BTreeSet<usize>,
    owners_too: bool,
}

/// An identity graph, in the model's own terms.
struct Graph {
    people: Vec<Person>,
    agents: Vec<Agent>,
    rules: Vec<Asks>,
}

impl Graph {
    fn new(dice: &mut Dice) -> Self {
        let people =
            (0..PEOPLE).map(|_| Person { teams: dice.some(TEAMS, 2), disabled: dice.roll(8) == 0 }).collect();
        let agents = (0..AGENTS)
            .map(|_| Agent {
                owner: dice.roll(PEOPLE),
                for_people: dice.some(PEOPLE, 4),
                for_teams: dice.some(TEAMS, 4),
            })
            .collect();
        let rules = (0..3)
            .map(|_| Asks {
                people: dice.some(PEOPLE, 3),
                teams: dice.some(TEAMS, 2),
                owners_too: dice.roll(2) == 0,
            })
            .collect();
        Self { people, agents, rules }
    }

    fn directory(&self) -> String {
        let mut text = String::new();
        for n in 0..TEAMS {
            writeln!(text, "[team.t{n}]").unwrap();
        }
        for (n, person) in self.people.iter().enumerate() {
            let teams: Vec<String> = person.teams.iter().map(|t| format!("\"t{t}\"")).collect();
            writeln!(
                text,
                "[person.p{n}]\nname = \"P\"\nteams = [{}]\ndisabled = {}",
                teams.join(", "),
                person.disabled
            )
            .unwrap();
        }
        for (n, agent) in self.agents.iter().enumerate() {
            let people = agent.for_people.iter().map(|p| format!("\"person:p{p}\""));
            let act_for: Vec<String> =
                people.chain(agent.for_teams.iter().map(|t| format!("\"team:t{t}\""))).collect();
            writeln!(
                text,
                "[agent.a{n}]\ntitle = \"A\"\nowner = \"p{}\"\nalone = true\nact_for = [{}]",
                agent.owner,
                act_for.join(", ")
            )
            .unwrap();
        }
        text
    }

    fn rule(&self, n: usize) -> String {
        let rule = &self.rules[n];
        let people = rule.people.iter().map(|p| format!("\"person:p{p}\""));
        let who: Vec<String> = people.chain(rule.teams.iter().map(|t| format!("\"team:t{t}\""))).collect();
        let not = if rule.owners_too { "not = []\n" } else { "" };
        format!("[r]\nwho = [{}]\ndecide_in = \"1h\"\nuse_in = \"1h\"\n{not}", who.join(", "))
    }

    fn could_name(&self, agent: usize, person: usize) -> bool {
        let agent = &self.agents[agent];
        agent.for_people.contains(&person)
            || self.people[person].teams.iter().any(|team| agent.for_teams.contains(team))
    }

    /// Whether a person may decide under a rule on what an agent proposed for somebody.
    fn may(
        &self,
        person: usize,
        rule: usize,
        (agent, behalf): (usize, Option<usize>),
        confirmed: bool,
    ) -> bool {
        let (rule, asked) = (&self.rules[rule], &self.people[person]);
        let named = rule.people.contains(&person) || asked.teams.iter().any(|team| rule.teams.contains(team));
        let in_chain = behalf == Some(person);
        let owns = self.agents[agent].owner == person && !rule.owners_too;
        named && !asked.disabled && !in_chain && !owns && (confirmed || !self.could_name(agent, person))
    }
}

#[test]
fn over_many_identity_graphs_only_whom_the_model_lets_may_decide_t11() {
    let (mut dice, mut pairs, mut yes) = (Dice(1), 0_u32, 0_u32);
    while pairs < 100_000 {
        let graph = Graph::new(&mut dice);
        let file = |text: String| SourceFile { path: "x.toml".to_owned(), text };
        let directory = Directory::load(&file(graph.directory())).unwrap();
        for n in 0..graph.rules.len() {
            // A rule that names nobody is refused at load.
            let Ok(rules) = Rules::load(&file(graph.rule(n)), &directory) else { continue };
            let rule = rules.get("r").unwrap();
            for agent in 0..AGENTS {
                for behalf in (0..PEOPLE).map(Some).chain([None]) {
                    let name = behalf.map(|p| format!("p{p}"));
                    let Ok(claimed) = directory.chain(&format!("a{agent}"), name.as_deref()) else {
                        continue;
                    };
                    let confirmed = claimed.confirmed();
                    for (chain, is_confirmed) in [(Some(&claimed), false), (confirmed.as_ref(), true)]
                        .into_iter()
                        .filter_map(|(c, i)| Some((c?, i)))
                    {
                        for person in 0..PEOPLE {
                            let could_be = directory.could_be(chain);
                            let by = ProposedBy { chain, could_be: &could_be };
                            let may = may_decide(rule, &format!("p{person}"), by, &directory).is_ok();
                            let expected = graph.may(person, n, (agent, behalf), is_confirmed);
                            assert_eq!(
                                may,
                                expected,
                                "p{person} under {} for a{agent} on behalf of {behalf:?}, confirmed: {is_confirmed}\n{}",
                                graph.rule(n),
                                graph.directory()
                            );
                            pairs = pairs.saturating_add(1);
                            yes = yes.saturating_add(u32::from(may));
                        }
                    }
                }
            }
        }
    }
    assert!(yes > 10_000 && yes < 90_000, "{yes} of {pairs}");
}
