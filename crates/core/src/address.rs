//! Email addresses: which texts are one, and rules that compare how an address ends.

/// Bytes of a whole address that a mail server has to take (RFC 5321, section 4.5.3.1.3, without the brackets).
const ADDRESS_BYTES_MAX: usize = 254;
/// Bytes before the `@` (RFC 5321, section 4.5.3.1.1).
const LOCAL_BYTES_MAX: usize = 64;
/// Bytes of one label of a domain name (RFC 1035, section 2.3.4).
const LABEL_BYTES_MAX: usize = 63;
/// Words in the name of a field that holds addresses.
const ADDRESS_WORDS: [&str; 13] = [
    "address",
    "addresses",
    "bcc",
    "cc",
    "email",
    "emails",
    "from",
    "mail",
    "recipient",
    "recipients",
    "reply",
    "sender",
    "to",
];

/// Whether a text is one plain address: an addr-spec (RFC 5322) of a dot-atom and a domain name with a dot.
///
/// Quotes, comments, domain literals, spaces and line breaks are valid in mail, but with them one text can hold
/// a second address or a header, and still end like an address that a rule allows.
pub(crate) fn is_email(text: &str) -> bool {
    let Some((local, domain)) = text.split_once('@') else { return false };
    text.len() <= ADDRESS_BYTES_MAX && is_local(local) && is_domain(domain)
}

fn is_local(local: &str) -> bool {
    let atom = |text: &str| {
        !text.is_empty()
            && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"!#$%&'*+-/=?^_`{|}~".contains(&b))
    };
    local.len() <= LOCAL_BYTES_MAX && local.split('.').all(atom)
}

fn is_domain(domain: &str) -> bool {
    let Some((_, last)) = domain.rsplit_once('.') else { return false };
    // `127.0.0.1` is no domain name, though its labels are well formed.
    domain.split('.').all(is_label) && !last.bytes().all(|b| b.is_ascii_digit())
}

fn is_label(label: &str) -> bool {
    (1..=LABEL_BYTES_MAX).contains(&label.len())
        && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
        && !label.starts_with('-')
        && !label.ends_with('-')
}

/// A rule of a policy or manifest that compares how a text of the input ends.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct SuffixRule {
    /// The field, as people write it, e.g. `input.to[]`.
    pub(crate) path: String,
    /// The field's own name.
    pub(crate) name: String,
    /// Whether its schema says `format = "email"`.
    pub(crate) is_email: bool,
    /// All text that the rule names.
    pub(crate) literal: String,
    /// The end that it asks for; empty when it is computed.
    pub(crate) suffix: String,
}

impl SuffixRule {
    /// What is wrong with it, and what to do.
    pub(crate) fn fault(&self) -> Option<(String, String)> {
        let Self { path, suffix, .. } = self;
        if !self.is_email {
            let of_address = self.literal.contains('@') || self.name.split(['_', '-']).any(is_address_word);
            return of_address.then(|| {
                let message = format!(
                    "`{path}` is compared with the end of an address, but its schema allows any text"
                );
                let remedy =
                    "Add `format = \"email\"` to the field: a list of addresses ends like an address too.";
                (message, remedy.to_owned())
            });
        }
        let whole_domain = suffix.is_empty() || suffix.contains('@') || suffix.starts_with('.');
        (!whole_domain).then(|| {
            let message = format!("`x@evil{suffix}` ends with `{suffix}` too, in `{path}`");
            (message, format!("Compare with `@{suffix}`, or with `.{suffix}` for its subdomains."))
        })
    }
}

fn is_address_word(word: &str) -> bool {
    ADDRESS_WORDS.contains(&word.to_ascii_lowercase().as_str())
}
