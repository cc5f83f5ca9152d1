//! Reading the log: who may, pages of it, and the whole of it as one verifiable text.

use countersign_core::audit::{
    Actor, Checkpoint, Entry, EventData, ExportHeader, Frontier, LogPublicKey, export_end, export_line,
};
use countersign_core::digest::Digest;
use countersign_core::directory::Role;
use countersign_core::id::ProposalId;
use countersign_core::refusal::Refusal;
use futures_util::stream::{self, Stream};

use super::{Gate, Viewer};
use crate::fault::{Fault, Stop};
use crate::store::{LoggedEntry, Store};

/// Entries that an export reads in one go.
const PAGE: u32 = 1_000;

impl Gate {
    /// Whether this person may read the whole log: auditors and operators. Everybody sees the entries of the
    /// proposals that they see.
    pub fn may_read_log(&self, person: &str) -> bool {
        let rules = self.ruleset();
        let found = rules.directory.person(person).filter(|p| !p.disabled);
        found.is_some_and(|p| p.roles.contains(&Role::Auditor) || p.roles.contains(&Role::Operator))
    }

    pub(super) fn log_reader(&self, person: &str) -> Result<(), Refusal> {
        if self.may_read_log(person) {
            return Ok(());
        }
        let detail = "the log is for auditors and operators; ask for a role in directory.toml".to_owned();
        Err(Refusal::NotPermitted { detail })
    }

    /// The entries of one proposal, in order, if the viewer may see it.
    pub async fn history(&self, id: ProposalId, viewer: &Viewer) -> Result<Vec<LoggedEntry>, Stop> {
        let found = self.read(id, viewer).await?;
        found.ok_or_else(|| Refusal::ProposalNotFound { id: id.to_string() })?;
        Ok(viewer.party().serve(self.0.store.history(id)).await?)
    }

    /// The last signed checkpoint, for who may read the log. None before the first.
    pub async fn checkpoint(&self, person: &str) -> Result<Option<String>, Stop> {
        self.log_reader(person)?;
        Ok(self.0.store.checkpoint().await?)
    }

    /// The whole log as one verifiable text, piece by piece, for who may read it. What was done before it was asked
    /// for is in it, and that it was asked for, too.
    pub async fn export_log(
        &self,
        person: &str,
    ) -> Result<impl Stream<Item = Result<Vec<u8>, Stop>> + Send + use<>, Stop> {
        self.log_reader(person)?;
        let actor = Actor::Person { id: person.to_owned() };
        self.note(Entry::new(self.0.world.now(), actor, EventData::LogExported(Box::default()))).await?;
        self.integrate().await?;
        export(&self.0.store, self.0.log_key.public()).await
    }

    /// Integrates everything that waits for the log now, instead of within the next tick.
    pub async fn integrate(&self) -> Result<(), Stop> {
        // Twice at the most: the first may lose to the sequencer's own tick, and new entries must not keep
        // this one here.
        if self.0.store.integrate(&self.0.log_key).await? == 0 {
            self.0.store.integrate(&self.0.log_key).await?;
        }
        Ok(())
    }
}

/// Where an export stands.
struct Export {
    store: Store,
    next: u64,
    size: u64,
    note: String,
    header: Option<Vec<u8>>,
    over: bool,
}

/// The export of everything up to the last signed checkpoint, page by page, so that its size does not matter. For a
/// gate that does not run: it asks nobody who they are.
pub async fn export(
    store: &Store,
    key: LogPublicKey,
) -> Result<impl Stream<Item = Result<Vec<u8>, Stop>> + Send + use<>, Stop> {
    let note =
        store.checkpoint().await?.ok_or_else(|| Fault::new("export the log", "it has no checkpoint yet"))?;
    let head: Checkpoint = key.open(&note).map_err(|e| Fault::new("open the log's own checkpoint", e))?;
    let header = ExportHeader { key, before: Frontier::default(), count: head.size, proof: Vec::new() };
    let header = Some(header.to_line());
    let export = Export { store: store.clone(), next: 0, size: head.size, note, header, over: false };
    Ok(stream::try_unfold(export, |mut export| async move {
        let piece = export.piece().await?;
        Ok(piece.map(|bytes| (bytes, export)))
    }))
}

impl Export {
    async fn piece(&mut self) -> Result<Option<Vec<u8>>, Stop> {
        if let Some(header) = self.header.take() {
            return Ok(Some(header));
        }
        if self.next < self.size {
            let left = u32::try_from(self.size.saturating_sub(self.next)).unwrap_or(PAGE);
            let page = self.store.entries(self.next, left.min(PAGE)).await?;
            if page.is_empty() {
                return Err(Fault::new("export the log", format!("entry {} is missing", self.next)).into());
            }
            self.next = self.next.saturating_add(u64::try_from(page.len()).unwrap_or(0));
            return Ok(Some(page.iter().flat_map(line).collect()));
        }
        if self.over {
            return Ok(None);
        }
        self.over = true;
        Ok(Some(export_end(&self.note)))
    }
}

/// A stored entry as it is, beside the leaf hash that was integrated: the verifier compares them.
fn line(entry: &LoggedEntry) -> Vec<u8> {
    let none = Digest::from_bytes([0; 32]);
    export_line(entry.leaf.as_ref().unwrap_or(&none), &entry.body)
}
