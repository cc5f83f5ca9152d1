//! What an operation risks, by its method and its words: the most careful reading, because a document says nothing about
//! it that could be believed. Each group comes with the reason, which stands beside it in the manifest.

/// Words that put an operation into a group. A word stands for its forms: `refund` also for `refunds`.
const WORDS: [(&str, &[&str]); 4] = [
    (
        "destructive",
        &[
            "archive",
            "block",
            "cancel",
            "clear",
            "destroy",
            "disable",
            "drop",
            "expire",
            "purge",
            "remove",
            "reset",
            "revoke",
            "suspend",
            "terminate",
            "truncate",
            "unset",
            "void",
            "wipe",
        ],
    ),
    (
        "financial",
        &[
            "balance",
            "billing",
            "charge",
            "checkout",
            "coupon",
            "credit",
            "debit",
            "discount",
            "invoice",
            "order",
            "payment",
            "payout",
            "plan",
            "price",
            "quote",
            "refund",
            "subscription",
            "tax",
            "topup",
            "transfer",
        ],
    ),
    (
        "external",
        &[
            "comment",
            "email",
            "hook",
            "invitation",
            "invite",
            "mail",
            "message",
            "notification",
            "notify",
            "publish",
            "reply",
            "send",
            "share",
            "sms",
            "webhook",
        ],
    ),
    (
        "admin",
        &[
            "admin",
            "collaborator",
            "credential",
            "key",
            "member",
            "membership",
            "permission",
            "policy",
            "protection",
            "role",
            "rule",
            "secret",
            "token",
        ],
    ),
];
/// Words of what only some may read.
const SENSITIVE: [&str; 6] = ["credential", "email", "key", "password", "secret", "token"];

/// Groups, each with its reason.
pub(super) type Groups = Vec<(&'static str, String)>;

/// The groups of an operation.
pub(super) fn groups(method: &str, words: &[String]) -> Groups {
    let named = |list: &[&str]| words.iter().find(|word| list.iter().any(|known| is_form(word, known)));
    if method == "GET" || method == "HEAD" {
        let sensitive = named(&SENSITIVE).map(|word| ("sensitive", format!("`{word}` in its name")));
        return [("read", method.to_owned())].into_iter().chain(sensitive).collect();
    }
    let mut groups: Groups = vec![("write", method.to_owned())];
    for (group, list) in WORDS {
        let why = if group == "destructive" && method == "DELETE" {
            Some(method.to_owned())
        } else {
            named(list).map(|word| format!("`{word}` in its name"))
        };
        groups.extend(why.map(|why| (group, why)));
    }
    groups
}

/// Whether a word is another one or its plural.
fn is_form(word: &str, known: &str) -> bool {
    word.strip_prefix(known).is_some_and(|rest| matches!(rest, "" | "s" | "es"))
        || known.strip_suffix('y').is_some_and(|stem| word.strip_prefix(stem) == Some("ies"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::import::text::words;

    #[test]
    fn an_operation_is_in_every_group_that_its_method_or_a_word_puts_it_in() {
        for (method, name, expect) in [
            ("GET", "issues/list", "read"),
            ("GET", "actions/list-repo-secrets", "read sensitive"),
            ("DELETE", "issues/delete", "write destructive"),
            ("POST", "issues/create-comment", "write external"),
            ("POST", "PostRefundsRefundCancel", "write destructive financial"),
            ("PUT", "orgs/update-policies", "write admin"),
            ("PATCH", "teams/update", "write"),
        ] {
            let groups: Vec<&str> =
                groups(method, &words(name)).into_iter().map(|(group, _)| group).collect();
            assert_eq!(groups.join(" "), expect, "{method} {name}");
        }
        let why = groups("DELETE", &words("keys/delete"));
        assert_eq!(
            why[1..],
            [("destructive", "DELETE".to_owned()), ("admin", "`keys` in its name".to_owned())]
        );
    }
}
