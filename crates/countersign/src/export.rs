//! The whole log as one verifiable text, page by page, so that its size does not matter.

use countersign_core::audit::{Checkpoint, ExportHeader, Frontier, LogPublicKey, export_end, export_line};
use countersign_core::digest::Digest;
use countersign_engine::fault::{Fault, Stop};
use countersign_engine::store::{LoggedEntry, Store};
use futures_util::stream::{self, Stream};

/// Entries read in one go.
const PAGE: u32 = 1_000;

/// Where an export stands.
struct ExportProgress {
    store: Store,
    next: u64,
    size: u64,
    note: String,
    header: Option<Vec<u8>>,
    over: bool,
}

/// The export of everything up to the last signed checkpoint.
pub(crate) async fn export(
    store: &Store,
    key: LogPublicKey,
) -> Result<impl Stream<Item = Result<Vec<u8>, Stop>> + Send + 'static, Stop> {
    let note =
        store.checkpoint().await?.ok_or_else(|| Fault::new("export the log", "it has no checkpoint yet"))?;
    let head: Checkpoint = key.open(&note).map_err(|e| Fault::new("open the log's own checkpoint", e))?;
    let header = ExportHeader { key, before: Frontier::default(), count: head.size, proof: Vec::new() };
    let header = Some(header.to_line());
    let progress =
        ExportProgress { store: store.clone(), next: 0, size: head.size, note, header, over: false };
    Ok(stream::try_unfold(progress, |mut progress| async move {
        let piece = progress.piece().await?;
        Ok(piece.map(|bytes| (bytes, progress)))
    }))
}

impl ExportProgress {
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
