//! Ids of proposals as people type them: whole, or as much of the beginning as names one.

use anyhow::bail;
use countersign_core::id::ProposalId;

/// Proposals that are named when several begin alike.
const NAMED_MAX: usize = 5;

/// Whether this is a whole id.
pub(super) fn is_whole(id: &str) -> bool {
    id.parse::<ProposalId>().is_ok()
}

/// The one of these ids that begins so.
pub(super) fn only<'a>(beginning: &str, ids: impl Iterator<Item = &'a str>) -> anyhow::Result<String> {
    let found: Vec<&str> = ids.filter(|id| id.starts_with(beginning)).collect();
    match found.as_slice() {
        [id] => Ok((*id).to_owned()),
        [] => bail!(
            "there is no proposal `{beginning}`, or you may not see it; `countersign list --state all` lists those that there are"
        ),
        several => {
            let names: Vec<&str> = several.iter().take(NAMED_MAX).copied().collect();
            let more = if several.len() > NAMED_MAX { ", …" } else { "" };
            bail!(
                "{} proposals begin with `{beginning}`: {}{more}; type more of the id",
                several.len(),
                names.join(", ")
            )
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_beginning_names_one_proposal_or_says_why_not() {
        let ids = ["prp_01aa", "prp_01ab", "prp_02aa"];
        let of = |beginning: &str| only(beginning, ids.into_iter()).map_err(|error| error.to_string());
        assert_eq!(of("prp_02"), Ok("prp_02aa".to_owned()));
        assert_eq!(of("prp_01aa"), Ok("prp_01aa".to_owned()));
        assert!(of("prp_01").unwrap_err().contains("2 proposals begin with `prp_01`: prp_01aa, prp_01ab"));
        assert!(of("prp_03").unwrap_err().contains("there is no proposal `prp_03`"));
        // Not in the middle.
        assert!(of("aa").is_err());
        assert!(is_whole("prp_01kawkbx1re0003g40r40m30e2") && !is_whole("prp_01kaw"));
    }
}
