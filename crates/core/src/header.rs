//! Header fields of a call that are not the manifest's to set: the one list that manifests, credentials and the
//! connector go by, so that what `check` accepts is not refused at the dispatch (RFC 9110, RFC 9112).

/// Whose a header field is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Owner {
    /// It frames or steers the message; the HTTP client sets it.
    Message,
    /// It says which way a message came; the gate sends none.
    Path,
    /// The gate sets it, from the effect class.
    Gate,
    /// It carries who calls; only a credential sets it.
    Credential,
    /// It belongs to answers.
    Answer,
}

const RESERVED: [(&str, Owner); 23] = [
    ("accept-encoding", Owner::Message),
    ("authorization", Owner::Credential),
    ("connection", Owner::Message),
    ("content-encoding", Owner::Message),
    ("content-length", Owner::Message),
    ("content-type", Owner::Message),
    ("cookie", Owner::Credential),
    ("expect", Owner::Message),
    ("forwarded", Owner::Path),
    ("host", Owner::Message),
    ("idempotency-key", Owner::Gate),
    ("if-match", Owner::Gate),
    ("keep-alive", Owner::Message),
    ("set-cookie", Owner::Answer),
    ("te", Owner::Message),
    ("trailer", Owner::Message),
    ("transfer-encoding", Owner::Message),
    ("upgrade", Owner::Message),
    ("via", Owner::Path),
    ("www-authenticate", Owner::Answer),
    ("x-forwarded-for", Owner::Path),
    ("x-forwarded-host", Owner::Path),
    ("x-forwarded-proto", Owner::Path),
];

/// Every reserved name, in lower case. Beside these, all that begin with `proxy-` are reserved.
pub fn reserved() -> impl Iterator<Item = (&'static str, Owner)> {
    RESERVED.into_iter()
}

/// Whose this field is; none when a manifest may set it. `name` is in lower case.
pub fn owner(name: &str) -> Option<Owner> {
    if name.starts_with("proxy-") {
        return Some(Owner::Path);
    }
    RESERVED.iter().find(|(reserved, _)| *reserved == name).map(|(_, owner)| *owner)
}

/// Whether a manifest may set it.
pub fn may_be_in_manifest(name: &str) -> bool {
    owner(name).is_none()
}

/// Whether a credential may stand in it.
pub fn may_carry_secret(name: &str) -> bool {
    matches!(owner(name), None | Some(Owner::Credential))
}

/// Whether it may stand in a call that was approved: set by the manifest, or by the gate for its effect class.
pub fn may_be_in_call(name: &str) -> bool {
    matches!(owner(name), None | Some(Owner::Gate))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_a_manifest_may_set_may_be_sent_and_what_is_reserved_may_not_be_set() {
        for (name, owner) in reserved() {
            assert!(!may_be_in_manifest(name), "{name}");
            assert_eq!(may_be_in_call(name), owner == Owner::Gate, "{name}");
            assert_eq!(may_carry_secret(name), owner == Owner::Credential, "{name}");
            assert_eq!(name, name.to_ascii_lowercase());
        }
        assert!(!may_be_in_manifest("proxy-anything") && !may_carry_secret("proxy-authorization"));
        for free in ["x-api-key", "stripe-version", "accept", "prefer"] {
            assert!(may_be_in_manifest(free) && may_be_in_call(free) && may_carry_secret(free), "{free}");
        }
        assert!(reserved().map(|(name, _)| name).is_sorted());
    }
}
