//! Files that settings name: they are read when the configuration is, so that a missing one is a fault at start.

use std::fmt::Display;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use super::reader::{Given, Reader};

/// The most bytes that such a file may have: far more than keys and certificates need.
const FILE_BYTES_MAX: u64 = 1 << 20;

/// A path, or `None` for an empty one.
pub(super) fn path(reader: &mut Reader<'_>, key: &'static str) -> Option<Given<PathBuf>> {
    // Somebody who sets the content instead of the path has put a secret here, so it is not repeated.
    let check = |text: &str| match text.contains(['\n', '\r']) || text.contains("-----") {
        true => Err("the value is the content of a file; write the path of the file".to_owned()),
        false => Ok(()),
    };
    reader.optional(key, check).map(|given| Given { value: given.value.into(), origin: given.origin })
}

/// What a file holds, or a fault that names its path.
pub(super) fn contents(reader: &mut Reader<'_>, key: &str, file: &Given<PathBuf>) -> Option<Vec<u8>> {
    match read(&file.value) {
        Ok(bytes) => Some(bytes),
        Err(error) => {
            refuse(reader, key, file, format!("cannot be read: {error}"));
            None
        }
    }
}

/// Notes a fault of a file.
pub(super) fn refuse(reader: &mut Reader<'_>, key: &str, file: &Given<PathBuf>, fault: impl Display) {
    reader.refuse(key, format!("{:?} {fault}", file.value), &file.origin);
}

/// The bytes of a regular file of at most 1 MiB.
pub(super) fn read(path: &Path) -> io::Result<Vec<u8>> {
    // A pipe or a terminal would hold up the start, and what is read from it is gone when the connection needs it.
    if !path.metadata()?.is_file() {
        return Err(io::Error::other("it is no regular file"));
    }
    let mut bytes = Vec::new();
    std::fs::File::open(path)?.take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > FILE_BYTES_MAX {
        return Err(io::Error::other("it has more than 1MiB"));
    }
    Ok(bytes)
}

/// Says so in the log when others can read a file that holds a secret.
#[cfg(unix)]
pub(super) fn warn_of_readers(key: &str, path: &Path) {
    use std::os::unix::fs::PermissionsExt;
    let Ok(metadata) = path.metadata() else { return };
    let mode = metadata.permissions().mode() & 0o777;
    if mode & 0o077 != 0 {
        let path = path.display();
        tracing::warn!(%path, "{key}: other users can read this file (mode {mode:04o}); run chmod 600 on it");
    }
}

/// Says so in the log when others can read a file that holds a secret.
#[cfg(not(unix))]
pub(super) fn warn_of_readers(_key: &str, _path: &Path) {}
