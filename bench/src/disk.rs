//! Y4: what the disk allows: one durable write at a time, into a file that grows and into one that does not.

use std::fs::{self, File};
use std::io::{Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, Result};

use crate::clock;
use crate::stats::{Samples, Summary};

const PAGE_BYTES: usize = 4_096;
/// Pages of the file that does not grow; it is written round and round.
const PREALLOCATED_PAGES: usize = 1_024;

/// Latency of one page made durable.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Disk {
    /// Appended, then `fdatasync`: the file's length changes too.
    pub(crate) append: Summary,
    /// Written over, then `fdatasync`: the least that durability costs here.
    pub(crate) preallocated: Summary,
}

/// Measures both, so many syncs each.
pub(crate) fn measure(dir: &Path, syncs: usize) -> Result<Disk> {
    let page = [0x5a_u8; PAGE_BYTES];
    let mut growing = tempfile::tempfile_in(dir).context("failed to make a file for the yardstick")?;
    let append = times(&mut growing, &page, syncs, usize::MAX)?;

    let mut fixed = tempfile::tempfile_in(dir).context("failed to make a file for the yardstick")?;
    for _ in 0..PREALLOCATED_PAGES {
        fixed.write_all(&page)?;
    }
    fixed.sync_all()?;
    fixed.seek(SeekFrom::Start(0))?;
    let preallocated = times(&mut fixed, &page, syncs, PREALLOCATED_PAGES)?;
    Ok(Disk { append, preallocated })
}

fn times(file: &mut File, page: &[u8], syncs: usize, pages: usize) -> Result<Summary> {
    let mut samples = Samples::default();
    for turn in 0..syncs {
        if turn.is_multiple_of(pages) {
            file.seek(SeekFrom::Start(0))?;
        }
        let begin = clock::now();
        file.write_all(page)?;
        file.sync_data()?;
        samples.push(begin.elapsed());
    }
    Ok(samples.summary())
}

/// Linux counts what a block device writes in sectors of this size, whatever the device's own are.
const SECTOR_BYTES: u64 = 512;

/// Bytes that the device under a folder has written since it was started, once nothing waits to be written.
/// None where the folder is on no block device of its own.
///
/// It counts what anybody writes there, so it can only be too much. A process's own `write_bytes` is no measure:
/// it counts a whole folio, which may be a megabyte, for the first byte that is changed in it.
pub(crate) fn written(dir: &Path) -> Result<Option<u64>> {
    let status = Command::new("sync").status().context("failed to start `sync`")?;
    anyhow::ensure!(status.success(), "`sync` failed");
    let device = fs::metadata(dir)?.dev();
    let major = ((device >> 8) & 0xfff) | ((device >> 32) & !0xfff);
    let minor = (device & 0xff) | ((device >> 12) & !0xff);
    let Ok(line) = fs::read_to_string(format!("/sys/dev/block/{major}:{minor}/stat")) else {
        return Ok(None);
    };
    // The seventh field: Documentation/block/stat.rst.
    let sectors: u64 = line.split_whitespace().nth(6).context("the device counts no sectors")?.parse()?;
    Ok(Some(sectors.saturating_mul(SECTOR_BYTES)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_made_durable_is_counted_by_the_device() {
        let dir = tempfile::tempdir().unwrap();
        let Some(before) = written(dir.path()).unwrap() else { return };
        fs::write(dir.path().join("x"), vec![1; 1 << 20]).unwrap();
        assert!(written(dir.path()).unwrap().unwrap() >= before + (1 << 20));
    }

    #[test]
    fn both_kinds_of_durable_write_are_timed() {
        let disk = measure(&std::env::temp_dir(), 5).unwrap();
        assert_eq!((disk.append.count, disk.preallocated.count), (5, 5));
    }
}
