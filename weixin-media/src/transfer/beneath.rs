//! Files below a folder, by paths that are not trusted.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use cap_fs_ext::MetadataExt as _;
use cap_std::ambient_authority;
use cap_std::fs::Dir;

use super::held::{irregular, reading};
use super::source::{Kind, Source};
use crate::error::{Error, ErrorKind};

/// See [`Source::beneath`]. Blocks.
pub(super) fn open(folder: &Path, path: &Path) -> Result<Source, Error> {
    let shown = path.display();
    let dir = Dir::open_ambient_dir(folder, ambient_authority())
        .map_err(|error| unusable(format!("the folder {} cannot be opened", folder.display()), error))?;
    let relative = relative(folder, path).ok_or_else(|| outside(folder, path))?;
    let opened = match below(&dir, &relative) {
        // Perhaps by a link that is absolute and leads back.
        Err(error) if is_escape(&error) => match resolved(folder, &relative) {
            Some(resolved) => below(&dir, &resolved),
            None => Err(error),
        },
        opened => opened,
    };
    let file = match opened {
        Ok(file) => file,
        Err(error) if is_escape(&error) => return Err(outside(folder, path)),
        Err(error) => return Err(unusable(format!("{shown} cannot be read for the upload"), error)),
    };
    let name = relative.file_name().unwrap_or_default().to_string_lossy().into_owned();
    Ok(Source(Kind::File(Arc::new(file), name)))
}

/// cap-std's own word, not the operating system's.
fn is_escape(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::PermissionDenied && error.raw_os_error().is_none()
}

/// Where a path of the folder leads at this moment, if that is in the folder.
fn resolved(folder: &Path, relative: &Path) -> Option<PathBuf> {
    let folder = folder.canonicalize().ok()?;
    Some(folder.join(relative).canonicalize().ok()?.strip_prefix(folder).ok()?.to_owned())
}

fn below(dir: &Dir, relative: &Path) -> io::Result<File> {
    // There are devices that do something when they are opened.
    if !dir.metadata(relative)?.is_file() {
        return Err(irregular());
    }
    let file = dir.open_with(relative, &reading())?;
    let metadata = file.metadata()?;
    if !metadata.is_file() {
        return Err(irregular());
    }
    if metadata.nlink() > 1 {
        return Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            "it has a second name, a hard link, which may lie elsewhere: copy the file and send the copy",
        ));
    }
    Ok(file.into_std())
}

/// The path as seen from the folder, whichever way the two are spelled. It says nothing of where it leads: the file is
/// opened from the folder on, step by step.
fn relative(folder: &Path, path: &Path) -> Option<PathBuf> {
    if path.is_relative() {
        return Some(path.to_owned());
    }
    if let Ok(rest) = path.strip_prefix(folder) {
        return Some(rest.to_owned());
    }
    let folder = folder.canonicalize().ok()?;
    if let Ok(rest) = path.strip_prefix(&folder) {
        return Some(rest.to_owned());
    }
    Some(path.canonicalize().ok()?.strip_prefix(folder).ok()?.to_owned())
}

fn outside(folder: &Path, path: &Path) -> Error {
    Error::invalid(format!("{} is not sent: it does not lie in {}", path.display(), folder.display()))
}

fn unusable(detail: String, error: io::Error) -> Error {
    Error::new(ErrorKind::Source, detail).with_source(error)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    /// A workspace beside a secret.
    fn lab() -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().join("root");
        fs::create_dir_all(root.join("sub")).unwrap();
        fs::write(root.join("a.txt"), "open").unwrap();
        fs::write(root.join("sub/b.txt"), "open").unwrap();
        fs::write(folder.path().join("secret"), "secret").unwrap();
        (folder, root)
    }

    fn name(folder: &Path, path: impl AsRef<Path>) -> Result<String, ErrorKind> {
        open(folder, path.as_ref()).map(|source| source.name().unwrap()).map_err(|error| error.kind())
    }

    #[test]
    fn files_of_the_folder_by_whatever_name() {
        let (_folder, root) = lab();
        for path in ["a.txt", "./a.txt", "sub/../a.txt"] {
            assert_eq!(name(&root, path).unwrap(), "a.txt", "{path}");
        }
        assert_eq!(name(&root, root.join("sub/b.txt")).unwrap(), "b.txt");
        assert_eq!(name(&root, "none"), Err(ErrorKind::Source));
        assert_eq!(name(&root.join("none"), "a.txt"), Err(ErrorKind::Source));
    }

    #[test]
    fn nothing_leads_out_of_the_folder() {
        let (folder, root) = lab();
        for path in ["../secret", "sub/../../secret", "../root/../secret"] {
            assert_eq!(name(&root, path), Err(ErrorKind::InvalidInput), "{path}");
        }
        for path in [folder.path().join("secret"), root.join("../secret")] {
            assert_eq!(name(&root, &path), Err(ErrorKind::InvalidInput), "{}", path.display());
        }
        let error = open(&root, Path::new("../secret")).unwrap_err().to_string();
        let error = error.replace(&folder.path().display().to_string(), "FOLDER").replace('\\', "/");
        insta::assert_snapshot!(error, @"../secret is not sent: it does not lie in FOLDER/root");
    }

    #[cfg(unix)]
    #[test]
    fn nor_does_a_link() {
        use std::os::unix::fs::symlink;

        let (folder, root) = lab();
        symlink("../secret", root.join("up")).unwrap();
        symlink(folder.path().join("secret"), root.join("absolute")).unwrap();
        symlink(folder.path(), root.join("out")).unwrap();
        symlink("/proc/self/root", root.join("magic")).unwrap();
        for path in ["up", "absolute", "out/secret", "magic/etc/passwd"] {
            assert_eq!(name(&root, path), Err(ErrorKind::InvalidInput), "{path}");
        }
        symlink("sub/b.txt", root.join("inside")).unwrap();
        assert_eq!(name(&root, "inside").unwrap(), "inside");
        symlink(root.join("sub/b.txt"), root.join("back")).unwrap();
        assert_eq!(name(&root, "back").unwrap(), "back");
        // The folder is trusted, under any of its names.
        symlink(&root, folder.path().join("alias")).unwrap();
        assert_eq!(name(&folder.path().join("alias"), root.join("a.txt")).unwrap(), "a.txt");
        assert_eq!(name(&root, folder.path().join("alias/a.txt")).unwrap(), "a.txt");
    }

    #[cfg(unix)]
    #[test]
    fn what_is_no_file_of_its_own_is_refused_and_not_waited_for() {
        let (folder, root) = lab();
        fs::hard_link(folder.path().join("secret"), root.join("hard")).unwrap();
        let error = open(&root, Path::new("hard")).unwrap_err().to_string();
        assert!(error.contains("a hard link") && error.contains("send the copy"), "{error}");
        let made = std::process::Command::new("mkfifo").arg(root.join("pipe")).status().unwrap();
        assert!(made.success());
        for path in ["pipe", "sub", "."] {
            let error = open(&root, Path::new(path)).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Source, "{error}");
            assert!(error.to_string().contains("not a regular file"), "{error}");
        }
        assert_eq!(name(Path::new("/dev"), "null"), Err(ErrorKind::Source));
        // A path that is trusted leads to no pipe either.
        let error = super::super::held::open(&root.join("pipe"))
            .and_then(|file| super::super::held::Held::new(Arc::new(file)).map(drop));
        assert!(error.unwrap_err().to_string().contains("not a regular file"));
    }
}
