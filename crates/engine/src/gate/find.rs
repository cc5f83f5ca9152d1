//! What is searched for in memory: words, in what a person sees of a proposal and in the entries of the log.

use countersign_core::proposal::Record;
use countersign_core::view::Card;

/// The words that somebody searches for. All of them must be there, in any case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Words(Vec<String>);

impl Words {
    /// The words of a text. None when it has none.
    pub(super) fn of(text: Option<&str>) -> Option<Self> {
        let words: Vec<String> = text?.split_whitespace().map(str::to_lowercase).collect();
        (!words.is_empty()).then_some(Self(words))
    }

    /// Whether every word is in one of the texts.
    pub(super) fn are_in<'a>(&self, texts: impl IntoIterator<Item = &'a str>) -> bool {
        let texts: Vec<String> = texts.into_iter().map(str::to_lowercase).collect();
        self.0.iter().all(|word| texts.iter().any(|text| text.contains(word)))
    }

    /// Whether they are in what this card says in words, in its ids, or in the reason that the agent gave.
    pub(super) fn are_on(&self, card: &Card, record: &Record) -> bool {
        let resource = card.resource.to_text();
        let words = [&card.headline, &card.id, &card.action, &resource].map(String::as_str);
        let effects = card.effects.iter().map(String::as_str);
        self.are_in(words.into_iter().chain(effects).chain(record.proposal.reason.as_deref()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_must_be_somewhere_in_any_case() {
        let found =
            |text: &str| Words::of(Some(text)).map(|words| words.are_in(["Refund INV-1", "Ärger mit Zoë"]));
        assert_eq!(found("refund"), Some(true));
        assert_eq!(found("  inv-1   ZOË "), Some(true));
        assert_eq!(found("ärger"), Some(true));
        assert_eq!(found("refund inv-2"), Some(false));
        assert_eq!(found("   "), None);
        assert_eq!(Words::of(None), None);
    }
}
