//! Archives, unpacked without a program that a machine may lack.

use std::fs::{self, File};
use std::io::{BufReader, Read};
use std::path::Path;

use flate2::read::GzDecoder;
use lzma_rust2::XzReader;

use crate::Outcome;

/// Unpacks what `npm pack` made into `folder`, which is made anew.
pub(crate) fn unpack_tgz(tgz: &Path, folder: &Path) -> Outcome {
    let partial = folder.with_extension("partial");
    unpack(tgz, &partial, GzDecoder::new)?;
    // npm puts everything into one folder.
    clear(folder)?;
    fs::rename(partial.join("package"), folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    clear(&partial)
}

/// Unpacks a `.tar.xz` into `folder`, which is made anew.
pub(crate) fn unpack_tar_xz(archive: &Path, folder: &Path) -> Outcome {
    unpack(archive, folder, |file| XzReader::new(file, true))
}

fn unpack<R: Read>(archive: &Path, folder: &Path, decoder: impl FnOnce(BufReader<File>) -> R) -> Outcome {
    clear(folder)?;
    File::open(archive)
        .and_then(|file| tar::Archive::new(decoder(BufReader::new(file))).unpack(folder))
        .map_err(|error| format!("{}: cannot be unpacked: {error}", archive.display()))
}

/// Removes a folder if it is there.
pub(crate) fn clear(folder: &Path) -> Outcome {
    if folder.exists() {
        fs::remove_dir_all(folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_npm_package_is_unpacked_without_the_folder_around_it_and_without_what_was_there() {
        let place = tempfile::tempdir().unwrap();
        let tgz = place.path().join("a-1.0.0.tgz");
        let encoder = flate2::write::GzEncoder::new(File::create(&tgz).unwrap(), flate2::Compression::fast());
        let mut builder = tar::Builder::new(encoder);
        let mut header = tar::Header::new_gnu();
        header.set_size(2);
        header.set_cksum();
        builder.append_data(&mut header, "package/native/a.node", &b"hi"[..]).unwrap();
        builder.into_inner().unwrap().finish().unwrap();

        let folder = place.path().join("a");
        fs::create_dir(&folder).unwrap();
        fs::write(folder.join("old"), "").unwrap();
        unpack_tgz(&tgz, &folder).unwrap();
        assert_eq!(fs::read(folder.join("native/a.node")).unwrap(), b"hi");
        assert!(!folder.join("old").exists());

        fs::write(&tgz, "no archive").unwrap();
        assert!(unpack_tgz(&tgz, &folder).unwrap_err().contains("a-1.0.0.tgz"));
    }
}
