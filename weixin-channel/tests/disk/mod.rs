//! A disk below SQLite for tests: it fails when it is told to, and it knows what a loss of power would leave on it.
//!
//! It is a VFS of SQLite that has the default one below itself, so what it stores is in ordinary files, and locks work
//! between processes. A sync is noted and not passed on: no test loses power in earnest, and waiting costs time.

#![allow(dead_code, reason = "the tests and the benchmark each need a part of it")]

mod platter;
mod vfs;

use std::collections::BTreeMap;
use std::ffi::{CStr, CString, c_int};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

pub(crate) use self::platter::Left;
use self::platter::Platter;

/// What a disk is asked to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Call {
    Read,
    Write,
    Sync,
    Truncate,
    /// To give room to the index of the log, which processes share.
    Share,
}

/// How it fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// ENOSPC: nothing is written.
    Full,
    /// Half is written, then ENOSPC.
    Short,
    /// EIO of a read.
    Read,
    /// EIO of a write; a part of it has reached the file.
    Write,
    /// fsync fails.
    Sync,
}

impl Fault {
    pub(crate) const ALL: [Self; 5] = [Self::Full, Self::Short, Self::Read, Self::Write, Self::Sync];

    fn concerns(self, call: Call) -> bool {
        match self {
            Self::Full | Self::Short => matches!(call, Call::Write | Call::Share),
            Self::Read => call == Call::Read,
            Self::Write => matches!(call, Call::Write | Call::Truncate),
            Self::Sync => call == Call::Sync,
        }
    }

    /// What SQLite's own VFS says in that case.
    fn code(self, call: Call) -> c_int {
        use rusqlite::ffi;
        match (self, call) {
            (Self::Full | Self::Short, Call::Share) => ffi::SQLITE_IOERR_SHMSIZE,
            (Self::Full | Self::Short, _) => ffi::SQLITE_FULL,
            (Self::Read, _) => ffi::SQLITE_IOERR_READ,
            (Self::Write, Call::Truncate) => ffi::SQLITE_IOERR_TRUNCATE,
            (Self::Write, _) => ffi::SQLITE_IOERR_WRITE,
            (Self::Sync, _) => ffi::SQLITE_IOERR_FSYNC,
        }
    }

    /// How many bytes of a write reach the file all the same.
    fn written(self, of: usize) -> usize {
        if matches!(self, Self::Short | Self::Write) { of / 2 } else { 0 }
    }
}

/// A disk. It stays for as long as the process, since SQLite keeps pointers to it.
pub(crate) struct Disk {
    name: CString,
    state: Mutex<State>,
    closed: Condvar,
}

#[derive(Default)]
struct State {
    plan: Plan,
    /// Calls that have failed.
    failed: u64,
    /// Files that are open.
    open: usize,
    /// What is on the disk for good, if that is noted at all.
    platters: Option<BTreeMap<PathBuf, Platter>>,
    /// What a loss of power would have left before each step to something more durable.
    images: Vec<Image>,
}

/// When it fails.
#[derive(Default)]
enum Plan {
    #[default]
    Never,
    /// From the `at`-th call on that the fault concerns, `times` of them.
    Nth { fault: Fault, at: u64, times: u64, seen: u64 },
    /// One of so many calls, each with a fault that concerns it.
    Random { random: fastrand::Rng, one_in: u32 },
}

/// The files of a disk after a loss of power.
pub(crate) type Image = BTreeMap<PathBuf, Vec<u8>>;

impl Disk {
    /// A disk that does not fail yet.
    pub(crate) fn new() -> &'static Self {
        static DISKS: AtomicUsize = AtomicUsize::new(0);
        let number = DISKS.fetch_add(1, Ordering::Relaxed);
        let name = CString::new(format!("disk-{number}")).expect("no zero in it");
        let disk: &'static Self =
            Box::leak(Box::new(Self { name, state: Mutex::default(), closed: Condvar::new() }));
        vfs::register(disk);
        disk
    }

    /// One that notes what is on it for good.
    pub(crate) fn with_platters() -> &'static Self {
        let disk = Self::new();
        disk.lock().platters = Some(BTreeMap::new());
        disk
    }

    /// The name of its VFS.
    pub(crate) fn name(&self) -> String {
        self.name.to_string_lossy().into_owned()
    }

    fn c_name(&self) -> &CStr {
        &self.name
    }

    /// Fails from the `at`-th call on that the fault concerns, counted from now, `times` times.
    pub(crate) fn fail(&self, fault: Fault, at: u64, times: u64) {
        self.lock().plan = Plan::Nth { fault, at, times, seen: 0 };
    }

    /// Fails at random, one call of so many, from now on.
    pub(crate) fn fail_at_random(&self, seed: u64, one_in: u32) {
        self.lock().plan = Plan::Random { random: fastrand::Rng::with_seed(seed), one_in };
    }

    /// Works again. How many calls have failed since this was last said.
    pub(crate) fn heal(&self) -> u64 {
        let mut state = self.lock();
        state.plan = Plan::Never;
        std::mem::take(&mut state.failed)
    }

    /// Whether a call has failed since [`heal`](Self::heal).
    pub(crate) fn has_failed(&self) -> bool {
        self.lock().failed > 0
    }

    /// Works again, and goes on counting.
    pub(crate) fn mend(&self) {
        self.lock().plan = Plan::Never;
    }

    /// Waits until no file is open any more.
    pub(crate) fn closed(&self) {
        drop(self.closed.wait_while(self.lock(), |state| state.open > 0));
    }

    /// What a loss of power would leave now.
    pub(crate) fn without_power(&self, left: Left) -> Image {
        self.lock().image(left)
    }

    /// What losses of power would have left since this was last asked, each right before something became more durable.
    pub(crate) fn images(&self) -> Vec<Image> {
        std::mem::take(&mut self.lock().images)
    }

    /// How the call fails, if it does.
    fn fault(&self, call: Call) -> Option<Fault> {
        let mut state = self.lock();
        let fault = state.plan.fault(call);
        state.failed += u64::from(fault.is_some());
        fault
    }

    fn opened(&self, path: &Path) {
        let mut state = self.lock();
        state.open += 1;
        if let Some(platters) = &mut state.platters {
            let platter = platters.entry(path.to_owned()).or_insert_with(|| Platter::of(path));
            platter.opened(path);
        }
    }

    fn was_closed(&self) {
        self.lock().open -= 1;
        self.closed.notify_all();
    }

    fn wrote(&self, path: &Path, at: usize, bytes: &[u8]) {
        self.lock().change(path, |platter| platter.write(at, bytes));
    }

    fn truncated(&self, path: &Path, size: usize) {
        self.lock().change(path, |platter| platter.truncate(size));
    }

    fn synced(&self, path: &Path) {
        let mut state = self.lock();
        state.look();
        let mut folder = false;
        state.change(path, |platter| folder = platter.sync());
        if folder {
            state.platters.iter_mut().flatten().for_each(|(_, platter)| platter.folder_synced());
        }
    }

    fn deleted(&self, path: &Path, synced: bool) {
        let mut state = self.lock();
        state.look();
        state.change(path, |platter| platter.delete(synced));
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Plan {
    fn fault(&mut self, call: Call) -> Option<Fault> {
        match self {
            Self::Never => None,
            Self::Nth { fault, at, times, seen } => {
                if !fault.concerns(call) {
                    return None;
                }
                *seen += 1;
                (*seen >= *at && *seen - *at < *times).then_some(*fault)
            }
            Self::Random { random, one_in } => {
                if random.u32(..*one_in) > 0 {
                    return None;
                }
                let fitting: Vec<Fault> =
                    Fault::ALL.into_iter().filter(|fault| fault.concerns(call)).collect();
                random.choice(fitting)
            }
        }
    }
}

impl State {
    fn change(&mut self, path: &Path, change: impl FnOnce(&mut Platter)) {
        if let Some(platter) = self.platters.as_mut().and_then(|platters| platters.get_mut(path)) {
            change(platter);
        }
    }

    /// Notes what a loss of power would leave now.
    fn look(&mut self) {
        if self.platters.is_some() {
            let number = self.images.len() as u64;
            for left in [Left::Synced, Left::All, Left::Some(number), Left::Some(number + 1)] {
                let image = self.image(left);
                if self.images.last() != Some(&image) {
                    self.images.push(image);
                }
            }
        }
    }

    fn image(&self, left: Left) -> Image {
        let mut random = left.random();
        let platters = self.platters.iter().flatten();
        platters
            .filter_map(|(path, platter)| Some((path.clone(), platter.left(left, &mut random)?)))
            .collect()
    }
}
