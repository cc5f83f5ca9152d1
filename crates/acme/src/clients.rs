//! Who may ask for tokens: two clients with fixed scopes, known by secrets that are kept as digests only.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::Read;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use crate::AcmeError;
use crate::digest::{Digest, Kind};

/// What a token lets its bearer do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Scope {
    /// Read everything.
    AcmeRead,
    /// Write notes.
    NotesWrite,
    /// Send money back.
    RefundsWrite,
    /// Change and delete customers.
    CustomersWrite,
}

impl Scope {
    /// Every scope.
    pub(crate) const ALL: [Self; 4] =
        [Self::AcmeRead, Self::NotesWrite, Self::RefundsWrite, Self::CustomersWrite];

    /// The name on the wire.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::AcmeRead => "acme.read",
            Self::NotesWrite => "notes.write",
            Self::RefundsWrite => "refunds.write",
            Self::CustomersWrite => "customers.write",
        }
    }

    /// By name.
    pub(crate) fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|s| s.name() == name)
    }
}

/// The scopes that each client may ask for. A reader's secret can never be turned into a write.
fn may_ask_for(client: &str) -> Option<BTreeSet<Scope>> {
    match client {
        "gate-read" => Some(BTreeSet::from([Scope::AcmeRead])),
        "gate-write" => Some(BTreeSet::from(Scope::ALL)),
        _ => None,
    }
}

/// The two clients and the digests of their secrets.
#[derive(Debug, Clone)]
pub(crate) struct Clients {
    secrets: BTreeMap<String, Digest>,
}

impl Clients {
    /// Shortest secret that is accepted: 128 bits in hexadecimal digits.
    const SECRET_BYTES_MIN: usize = 32;
    /// Nobody's two lines are longer.
    const FILE_BYTES_MAX: u64 = 4096;

    /// Reads `CLIENT:SECRET` lines from a file that only its owner may read.
    pub(crate) fn load(path: &Path) -> Result<Self, AcmeError> {
        let shown = path.display().to_string();
        let failed = |source| AcmeError::File { doing: "read", path: shown.clone(), source };
        let wrong = |detail: &str| AcmeError::Secrets { path: shown.clone(), detail: detail.to_owned() };
        let file = File::open(path).map_err(failed)?;
        // The opened file is asked, not the path: the path could name another one by now.
        let mode = file.metadata().map_err(failed)?.permissions().mode();
        if mode & 0o077 != 0 {
            return Err(wrong("others may read it; run `chmod 600` on it"));
        }
        let mut text = String::new();
        file.take(Self::FILE_BYTES_MAX).read_to_string(&mut text).map_err(failed)?;
        Self::parse(&text).map_err(|detail| wrong(&detail))
    }

    /// Never says anything of a secret, not even of a line that has no colon.
    fn parse(text: &str) -> Result<Self, String> {
        let mut secrets = BTreeMap::new();
        for (number, line) in text.lines().enumerate() {
            let number = number.saturating_add(1);
            let (client, secret) = line
                .split_once(':')
                .ok_or_else(|| format!("line {number} is not of the form `CLIENT:SECRET`"))?;
            if may_ask_for(client).is_none() {
                return Err(format!("line {number} names a client other than `gate-read` and `gate-write`"));
            }
            if secret.len() < Self::SECRET_BYTES_MIN || !secret.bytes().all(|b| b.is_ascii_graphic()) {
                let least = Self::SECRET_BYTES_MIN;
                return Err(format!("the secret on line {number} is not {least} or more visible characters"));
            }
            if secrets.insert(client.to_owned(), digest(secret)).is_some() {
                return Err(format!("line {number} names a client a second time"));
            }
        }
        match secrets.len() {
            2 => Ok(Self { secrets }),
            _ => Err("it needs a line for `gate-read` and a line for `gate-write`".to_owned()),
        }
    }

    /// The scopes that the client may ask for, if the secret is its own.
    pub(crate) fn recognise(&self, client: &str, secret: &str) -> Option<BTreeSet<Scope>> {
        let expected = self.secrets.get(client)?;
        expected.is(&digest(secret)).then(|| may_ask_for(client)).flatten()
    }
}

fn digest(secret: &str) -> Digest {
    Digest::of(Kind::Secret, &[secret.as_bytes()])
}

#[cfg(test)]
mod tests {
    use super::*;

    const READ: &str = "gate-read:0123456789abcdef0123456789abcdef";
    const WRITE: &str = "gate-write:fedcba9876543210fedcba9876543210";

    #[test]
    fn a_file_of_secrets_is_whole_or_refused() {
        let table = [
            (format!("{READ}\n{WRITE}\n"), None),
            (READ.to_owned(), Some("needs a line")),
            (String::new(), Some("needs a line")),
            (format!("{READ}\n{READ}"), Some("a second time")),
            (format!("{READ}\nroot:fedcba9876543210fedcba9876543210"), Some("names a client other")),
            (format!("{READ}\ngate-write:short"), Some("visible characters")),
            (format!("{READ}\n\n{WRITE}"), Some("line 2 is not of the form")),
        ];
        for (text, expect) in table {
            let said = Clients::parse(&text).err();
            match expect {
                None => assert_eq!(said, None),
                Some(part) => assert!(said.unwrap().contains(part), "{text}"),
            }
        }
    }

    #[test]
    fn a_message_about_a_secret_never_repeats_it() {
        let said = Clients::parse("sup3rs3cret-without-a-colon").unwrap_err();
        assert!(!said.contains("sup3rs3cret"), "{said}");
    }
}
