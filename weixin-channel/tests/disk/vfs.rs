//! A [`Disk`] as SQLite wants it: tables of C functions. What they decide is decided elsewhere.

#![allow(unsafe_code, reason = "SQLite takes a VFS as a table of C functions and hands out pointers")]

use std::ffi::{CStr, c_char, c_int, c_void};
use std::path::{Path, PathBuf};
use std::ptr;

use rusqlite::ffi::{
    self, SQLITE_OK, sqlite3_file, sqlite3_filename, sqlite3_int64, sqlite3_io_methods, sqlite3_vfs,
};

use super::{Call, Disk};

/// What SQLite has of an open file: it makes room for it, and reads the first field.
#[repr(C)]
struct File {
    base: sqlite3_file,
    /// Made by [`open`], taken back by [`close`].
    handle: *mut Handle,
}

struct Handle {
    disk: &'static Disk,
    path: PathBuf,
    /// The file of the VFS below, with as much room as that asks for, aligned as SQLite does it.
    below: Box<[u64]>,
}

/// Without memory maps (version 3), which would write past us.
static METHODS: sqlite3_io_methods = sqlite3_io_methods {
    iVersion: 2,
    xClose: Some(close),
    xRead: Some(read),
    xWrite: Some(write),
    xTruncate: Some(truncate),
    xSync: Some(sync),
    xFileSize: Some(file_size),
    xLock: Some(lock),
    xUnlock: Some(unlock),
    xCheckReservedLock: Some(check_reserved_lock),
    xFileControl: Some(file_control),
    xSectorSize: Some(sector_size),
    xDeviceCharacteristics: Some(device_characteristics),
    xShmMap: Some(shm_map),
    xShmLock: Some(shm_lock),
    xShmBarrier: Some(shm_barrier),
    xShmUnmap: Some(shm_unmap),
    xFetch: None,
    xUnfetch: None,
};

/// Makes the disk known to SQLite, under its name.
pub(super) fn register(disk: &'static Disk) {
    let below = default_vfs();
    // SAFETY: the default VFS is a table that SQLite keeps for as long as the process. What is not replaced here does not
    // look at the table that it is called with.
    let mut vfs = unsafe { ptr::read(below) };
    vfs.szOsFile = c_int::try_from(size_of::<File>()).expect("a small struct");
    vfs.pNext = ptr::null_mut();
    vfs.zName = disk.c_name().as_ptr();
    vfs.pAppData = ptr::from_ref(disk).cast_mut().cast();
    vfs.xOpen = Some(open);
    vfs.xDelete = Some(delete);
    // SAFETY: the table is never freed, nor is its name.
    let code = unsafe { ffi::sqlite3_vfs_register(Box::leak(Box::new(vfs)), 0) };
    assert_eq!(code, SQLITE_OK, "SQLite takes no VFS");
}

fn default_vfs() -> *mut sqlite3_vfs {
    // SAFETY: SQLite initialises itself, and null asks for the default.
    let found = unsafe { ffi::sqlite3_vfs_find(ptr::null()) };
    assert!(!found.is_null(), "SQLite has no VFS");
    found
}

/// The disk of a table that [`register`] has made.
fn disk_of(vfs: *mut sqlite3_vfs) -> &'static Disk {
    // SAFETY: `register` has put it there, and it is never freed.
    unsafe { &*(*vfs).pAppData.cast::<Disk>() }
}

/// What belongs to a file that [`open`] has made.
fn handle_of<'a>(file: *mut sqlite3_file) -> &'a mut Handle {
    // SAFETY: SQLite calls with files that are open, each by one thread at a time.
    unsafe { &mut *(*file.cast::<File>()).handle }
}

impl Handle {
    fn below(&mut self) -> *mut sqlite3_file {
        self.below.as_mut_ptr().cast()
    }
}

/// Calls a method of the file below.
macro_rules! below {
    ($file:expr, $method:ident($($arg:expr),*)) => {{
        let below = handle_of($file).below();
        // SAFETY: the file below is open as long as ours is, and its VFS has all methods of version 2.
        unsafe { ((*(*below).pMethods).$method.expect("of version 2"))(below, $($arg),*) }
    }};
}

/// A method that only hands on.
macro_rules! hand_on {
    ($name:ident, $method:ident($($arg:ident: $type:ty),*) -> $result:ty) => {
        unsafe extern "C" fn $name(file: *mut sqlite3_file, $($arg: $type),*) -> $result {
            below!(file, $method($($arg),*))
        }
    };
}

hand_on!(file_size, xFileSize(size: *mut sqlite3_int64) -> c_int);
hand_on!(lock, xLock(level: c_int) -> c_int);
hand_on!(unlock, xUnlock(level: c_int) -> c_int);
hand_on!(check_reserved_lock, xCheckReservedLock(found: *mut c_int) -> c_int);
hand_on!(file_control, xFileControl(what: c_int, with: *mut c_void) -> c_int);
hand_on!(sector_size, xSectorSize() -> c_int);
hand_on!(device_characteristics, xDeviceCharacteristics() -> c_int);
hand_on!(shm_lock, xShmLock(offset: c_int, number: c_int, flags: c_int) -> c_int);
hand_on!(shm_barrier, xShmBarrier() -> ());
hand_on!(shm_unmap, xShmUnmap(delete: c_int) -> c_int);

unsafe extern "C" fn open(
    vfs: *mut sqlite3_vfs,
    name: sqlite3_filename,
    file: *mut sqlite3_file,
    flags: c_int,
    out_flags: *mut c_int,
) -> c_int {
    let (disk, default) = (disk_of(vfs), default_vfs());
    // SAFETY: the default VFS is a table for as long as the process.
    let size = unsafe { (*default).szOsFile };
    let words = usize::try_from(size).expect("a size").div_ceil(size_of::<u64>());
    let mut below = vec![0_u64; words].into_boxed_slice();
    // SAFETY: there is as much room as that VFS wants, zeroed; the other arguments are SQLite's own.
    let code = unsafe {
        (*default).xOpen.expect("of version 1")(default, name, below.as_mut_ptr().cast(), flags, out_flags)
    };
    // SAFETY: SQLite has made room for a `File`.
    let file = unsafe { &mut *file.cast::<File>() };
    file.base.pMethods = ptr::null();
    if code != SQLITE_OK {
        return code;
    }
    let path = path_of(name);
    disk.opened(&path);
    file.handle = Box::into_raw(Box::new(Handle { disk, path, below }));
    file.base.pMethods = &raw const METHODS;
    SQLITE_OK
}

unsafe extern "C" fn delete(vfs: *mut sqlite3_vfs, name: *const c_char, sync: c_int) -> c_int {
    let default = default_vfs();
    // SAFETY: as in `open`.
    let code = unsafe { (*default).xDelete.expect("of version 1")(default, name, sync) };
    if code == SQLITE_OK {
        disk_of(vfs).deleted(&path_of(name), sync != 0);
    }
    code
}

unsafe extern "C" fn close(file: *mut sqlite3_file) -> c_int {
    let code = below!(file, xClose());
    // SAFETY: `open` has made it, and SQLite closes a file once.
    let handle = unsafe { Box::from_raw((*file.cast::<File>()).handle) };
    handle.disk.was_closed();
    code
}

unsafe extern "C" fn read(
    file: *mut sqlite3_file,
    into: *mut c_void,
    amount: c_int,
    at: sqlite3_int64,
) -> c_int {
    if let Some(fault) = handle_of(file).disk.fault(Call::Read) {
        return fault.code(Call::Read);
    }
    below!(file, xRead(into, amount, at))
}

unsafe extern "C" fn write(
    file: *mut sqlite3_file,
    data: *const c_void,
    amount: c_int,
    at: sqlite3_int64,
) -> c_int {
    let all = size(amount.into());
    let fault = handle_of(file).disk.fault(Call::Write);
    let written = fault.map_or(all, |fault| fault.written(all));
    if written > 0 {
        let code = below!(file, xWrite(data, c_int::try_from(written).expect("not more than all"), at));
        if code != SQLITE_OK {
            return code;
        }
        // SAFETY: SQLite gives so many bytes.
        let bytes = unsafe { std::slice::from_raw_parts(data.cast::<u8>(), written) };
        let handle = handle_of(file);
        handle.disk.wrote(&handle.path, size(at), bytes);
    }
    fault.map_or(SQLITE_OK, |fault| fault.code(Call::Write))
}

unsafe extern "C" fn truncate(file: *mut sqlite3_file, to: sqlite3_int64) -> c_int {
    if let Some(fault) = handle_of(file).disk.fault(Call::Truncate) {
        return fault.code(Call::Truncate);
    }
    let code = below!(file, xTruncate(to));
    if code == SQLITE_OK {
        let handle = handle_of(file);
        handle.disk.truncated(&handle.path, size(to));
    }
    code
}

unsafe extern "C" fn sync(file: *mut sqlite3_file, _: c_int) -> c_int {
    let handle = handle_of(file);
    if let Some(fault) = handle.disk.fault(Call::Sync) {
        return fault.code(Call::Sync);
    }
    handle.disk.synced(&handle.path);
    SQLITE_OK
}

unsafe extern "C" fn shm_map(
    file: *mut sqlite3_file,
    page: c_int,
    size: c_int,
    extend: c_int,
    memory: *mut *mut c_void,
) -> c_int {
    // What is there already needs no room.
    if extend != 0
        && let Some(fault) = handle_of(file).disk.fault(Call::Share)
    {
        return fault.code(Call::Share);
    }
    below!(file, xShmMap(page, size, extend, memory))
}

fn path_of(name: *const c_char) -> PathBuf {
    if name.is_null() {
        // A temporary file.
        return PathBuf::new();
    }
    // SAFETY: SQLite's names end with a zero.
    let name = unsafe { CStr::from_ptr(name) };
    Path::new(&*name.to_string_lossy()).to_owned()
}

fn size(number: sqlite3_int64) -> usize {
    usize::try_from(number).expect("sizes and offsets are not negative")
}
