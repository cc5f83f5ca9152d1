//! The demo's gate directory, except `countersign.toml`: embedded, and completed with what only a run knows.
//!
//! It must stay the same as `examples/01-refund-needs-approval`, so that what people try and what they read
//! is one thing.

use std::net::SocketAddr;

use countersign_core::digest::Digest;

const DIRECTORY: &str = include_str!("directory.toml");
const APPROVALS: &str = include_str!("approvals.toml");
const ACTIONS: &str = include_str!("actions/acme.toml");
const POLICIES: &str = include_str!("policies/support.cedar");

/// The only agent of the demo.
pub(crate) const AGENT: &str = "support-bot";

/// Path in the gate directory and text of every file. `agent_key` is the digest of [`AGENT`]'s key.
pub(crate) fn files(acme: SocketAddr, agent_key: Digest) -> Vec<(&'static str, String)> {
    let key = format!("\n[[agent.{AGENT}.key]]\nhash    = \"{agent_key}\"\ncreated = \"by the demo\"\n");
    vec![
        ("directory.toml", format!("{DIRECTORY}{key}")),
        ("approvals.toml", APPROVALS.to_owned()),
        ("actions/acme.toml", ACTIONS.replace("{{ACME_URL}}", &format!("http://{acme}"))),
        ("policies/support.cedar", POLICIES.to_owned()),
    ]
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use countersign_core::digest::domain;
    use countersign_core::directory::Directory;
    use countersign_core::problem::SourceFile;

    use super::*;

    fn completed() -> Vec<SourceFile> {
        let key = Digest::of(domain::TOKEN, b"a key");
        files(SocketAddr::from(([127, 0, 0, 1], 4190)), key)
            .into_iter()
            .map(|(path, text)| SourceFile { path: path.to_owned(), text })
            .collect()
    }

    #[test]
    fn the_agent_acts_for_support_and_nobody_else() {
        let files = completed();
        let directory = Directory::load(&files[0]).unwrap();
        let (name, _) = directory.agent_by_key(&Digest::of(domain::TOKEN, b"a key")).unwrap();
        let chain = directory.chain(name, Some("ann")).unwrap();
        assert_eq!((name, chain.to_text().as_str()), (AGENT, "ann → support-bot"));
        assert!(directory.chain(name, Some("frank")).is_err());
    }

    #[test]
    fn no_placeholder_is_left() {
        for file in completed() {
            assert!(!file.text.contains("{{"), "{}", file.path);
        }
    }

    #[test]
    fn the_first_example_is_the_demo() {
        let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/01-refund-needs-approval");
        for file in completed().iter().skip(1) {
            let text = std::fs::read_to_string(example.join(&file.path)).unwrap();
            assert_eq!(text, file.text, "{}", file.path);
        }
        let directory = std::fs::read_to_string(example.join("directory.toml")).unwrap();
        assert!(directory.starts_with(DIRECTORY), "only the agent's key may be added");
    }
}
