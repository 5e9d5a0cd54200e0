//! Whatever a sender calls a file, its safe name is one visible component that every file system takes.

#![no_main]

use std::path::{Component, Path};

use libfuzzer_sys::fuzz_target;
use weixin_media::codec::{MAX_FILE_NAME, safe_file_name};

fuzz_target!(|name: &str| {
    let safe = safe_file_name(name);
    assert!(!safe.is_empty() && safe.len() <= MAX_FILE_NAME, "{safe:?}");
    assert!(!safe.contains(['/', '\\', ':']) && !safe.chars().any(char::is_control), "{safe:?}");
    let mut components = Path::new(&safe).components();
    assert!(matches!((components.next(), components.next()), (Some(Component::Normal(_)), None)), "{safe:?}");
    assert_eq!(safe_file_name(&safe), safe, "a safe name stays as it is");
});
