//! Secrets from files that nobody but their owner may read.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use tokio::io::AsyncReadExt;
use zeroize::Zeroizing;

/// More than any key or token; a larger file is not a secret but a mistake.
const FILE_BYTES_MAX: u64 = 64 * 1024;

/// Reads a file without its last line break. A symbolic link is followed, as secret mounts use them; what
/// is checked is the file that was opened.
pub(super) async fn read(path: &Path) -> Result<Zeroizing<String>, String> {
    let shown = path.display();
    let failed = |error: std::io::Error| format!("`{shown}` cannot be read: {}", error.kind());
    // Asked before the file is opened as well, because opening a pipe waits for its writer.
    let seen = tokio::fs::metadata(path).await.map_err(failed)?;
    if !seen.is_file() {
        return Err(format!("`{shown}` is not a file"));
    }
    let file = tokio::fs::File::open(path).await.map_err(failed)?;
    let opened = file.metadata().await.map_err(failed)?;
    let mode = opened.permissions().mode() & 0o777;
    if mode & 0o077 != 0 {
        return Err(format!("others may read `{shown}` (mode {mode:o}); run `chmod 600` on it"));
    }
    if !opened.is_file() || opened.len() > FILE_BYTES_MAX {
        return Err(format!("`{shown}` is not a file of at most {FILE_BYTES_MAX} bytes"));
    }
    let mut text = Zeroizing::new(String::new());
    // One byte more than allowed, to notice a file that grew after it was measured.
    let mut bounded = file.take(FILE_BYTES_MAX.saturating_add(1));
    bounded.read_to_string(&mut text).await.map_err(failed)?;
    if u64::try_from(text.len()).is_ok_and(|len| len > FILE_BYTES_MAX) {
        return Err(format!("`{shown}` is not a file of at most {FILE_BYTES_MAX} bytes"));
    }
    if text.ends_with('\n') {
        text.pop();
    }
    if text.ends_with('\r') {
        text.pop();
    }
    Ok(text)
}
