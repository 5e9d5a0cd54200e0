//! What of one file is on the disk for good, and what a loss of power may take away.

use std::path::Path;

/// What a disk writes at once: of a longer write any part may be there.
const SECTOR: usize = 512;

/// What a loss of power leaves of what was not synced.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Left {
    /// Nothing.
    Synced,
    /// All: it had got there by itself.
    All,
    /// Some sectors and not others, in no order; by chance, with this seed: half of them, most, or nearly all.
    Some(u64),
}

impl Left {
    pub(super) fn random(self) -> fastrand::Rng {
        fastrand::Rng::with_seed(if let Self::Some(seed) = self { seed } else { 0 })
    }

    fn keeps(self, random: &mut fastrand::Rng) -> bool {
        match self {
            Self::Synced => false,
            Self::All => true,
            Self::Some(seed) => random.u32(..[2, 10, 100][usize::try_from(seed % 3).unwrap_or(0)]) > 0,
        }
    }
}

/// One file. Others than SQLite do not write it.
#[derive(Default)]
pub(super) struct Platter {
    /// `None`: no such file.
    durable: Option<Vec<u8>>,
    /// In the order in which it was done.
    since: Vec<Change>,
    /// It was deleted, and its folder not synced since.
    deleted: bool,
    /// With its next sync SQLite syncs the folder: it is a log or a journal that was opened since.
    syncs_folder: bool,
}

enum Change {
    Write { at: usize, bytes: Vec<u8> },
    Truncate(usize),
}

impl Platter {
    /// What was there before counts as synced.
    pub(super) fn of(path: &Path) -> Self {
        Self { durable: std::fs::read(path).ok(), ..Self::default() }
    }

    pub(super) fn opened(&mut self, path: &Path) {
        if std::mem::take(&mut self.deleted) {
            *self = Self::default();
        }
        let name = path.to_string_lossy();
        self.syncs_folder = ["-wal", "-journal"].iter().any(|end| name.ends_with(end));
    }

    pub(super) fn write(&mut self, at: usize, bytes: &[u8]) {
        self.since.push(Change::Write { at, bytes: bytes.to_vec() });
    }

    pub(super) fn truncate(&mut self, size: usize) {
        self.since.push(Change::Truncate(size));
    }

    /// True if the folder is synced as well.
    pub(super) fn sync(&mut self) -> bool {
        self.durable = Some(self.with(Left::All, &mut Left::All.random()));
        self.since.clear();
        std::mem::take(&mut self.syncs_folder)
    }

    /// What was deleted is gone for good.
    pub(super) fn folder_synced(&mut self) {
        if self.deleted {
            *self = Self { deleted: true, ..Self::default() };
        }
    }

    pub(super) fn delete(&mut self, synced: bool) {
        self.deleted = true;
        if synced {
            self.folder_synced();
        }
    }

    /// The file after a loss of power; `None`: there is none.
    pub(super) fn left(&self, left: Left, random: &mut fastrand::Rng) -> Option<Vec<u8>> {
        // That it was deleted, or made, is as unsure as what was written.
        if self.deleted && left.keeps(random) {
            return None;
        }
        if self.durable.is_none() && (self.since.is_empty() || !left.keeps(random)) {
            return None;
        }
        Some(self.with(left, random))
    }

    fn with(&self, left: Left, random: &mut fastrand::Rng) -> Vec<u8> {
        let mut file = self.durable.clone().unwrap_or_default();
        for change in &self.since {
            match change {
                Change::Truncate(size) => {
                    if left.keeps(random) {
                        file.resize(*size, 0);
                    }
                }
                Change::Write { at, bytes } => {
                    let mut at = *at;
                    let mut rest = bytes.as_slice();
                    while !rest.is_empty() {
                        let (now, later) = rest.split_at(rest.len().min(SECTOR - at % SECTOR));
                        if left.keeps(random) {
                            let end = at + now.len();
                            file.resize(file.len().max(end), 0);
                            file[at..end].copy_from_slice(now);
                        }
                        (at, rest) = (at + now.len(), later);
                    }
                }
            }
        }
        file
    }
}
