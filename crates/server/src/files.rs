//! The settings file and its includes, and the file of users, on disk.

use ochre_engine::ports::{AclFile, SettingsFile};
use ochre_engine::settings::{FILE_BYTES_MAX, FileSource};
use std::ffi::OsStr;
use std::io::{self, Read};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

/// Reads what the command line and `include` name.
pub(crate) struct DiskSource;

impl FileSource for DiskSource {
    fn read(&self, path: &[u8]) -> io::Result<Vec<u8>> {
        std::fs::read(Path::new(OsStr::from_bytes(path)))
    }

    fn read_stdin(&self) -> io::Result<Vec<u8>> {
        let mut text = Vec::new();
        io::stdin().lock().read_to_end(&mut text)?;
        Ok(text)
    }

    fn expand(&self, pattern: &[u8]) -> io::Result<Vec<Vec<u8>>> {
        // Wildcards are understood in the last part of the path, where settings files use them.
        let path = Path::new(OsStr::from_bytes(pattern));
        let name = path.file_name().map(OsStr::as_bytes).unwrap_or_default();
        let folder = path
            .parent()
            .filter(|p| !p.as_os_str().is_empty())
            .unwrap_or(Path::new("."));
        if !folder.is_dir() {
            return Ok(Vec::new());
        }
        let mut found = Vec::new();
        for entry in std::fs::read_dir(folder)? {
            let file = entry?.file_name();
            let hidden = file.as_bytes().starts_with(b".") && !name.starts_with(b".");
            if !hidden && ochre_ds::glob::glob_match(name, file.as_bytes(), false) {
                found.push(folder.join(file).into_os_string().into_vec());
            }
        }
        found.sort();
        Ok(found)
    }
}

/// The file that the server was started with, made absolute so that `dir` does not move it.
pub(crate) struct StartFile(pub(crate) Option<PathBuf>);

impl SettingsFile for StartFile {
    fn path(&self) -> Option<String> {
        self.0.as_ref().map(|p| p.display().to_string())
    }

    fn read(&self) -> io::Result<String> {
        let path = self.0.as_ref().ok_or(io::ErrorKind::NotFound)?;
        match std::fs::read_to_string(path) {
            // CONFIG REWRITE makes the file anew when somebody removed it.
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(String::new()),
            other => other,
        }
    }

    fn write(&self, text: &str) -> io::Result<()> {
        let path = self.0.as_ref().ok_or(io::ErrorKind::NotFound)?;
        replace(path, text.as_bytes())
    }
}

/// The file that `aclfile` names.
pub(crate) struct UserFile {
    /// The path as it was given; empty for none.
    given: PathBuf,
    /// The same, absolute, so that `dir` does not move it.
    path: PathBuf,
}

impl UserFile {
    /// The file at `given`, relative to the present folder.
    pub(crate) fn new(given: &[u8]) -> UserFile {
        let given = PathBuf::from(OsStr::from_bytes(given));
        let path = std::env::current_dir().unwrap_or_default().join(&given);
        UserFile { given, path }
    }
}

impl AclFile for UserFile {
    fn path(&self) -> Option<String> {
        let given = self.given.display().to_string();
        (!given.is_empty()).then_some(given)
    }

    fn read(&self) -> io::Result<Vec<u8>> {
        let mut text = Vec::new();
        let most = FILE_BYTES_MAX as u64 + 1;
        std::fs::File::open(&self.path)?
            .take(most)
            .read_to_end(&mut text)?;
        if text.len() > FILE_BYTES_MAX {
            let reason = format!("larger than {FILE_BYTES_MAX} bytes");
            return Err(io::Error::other(reason));
        }
        Ok(text)
    }

    fn write(&self, text: &[u8]) -> io::Result<()> {
        replace(&self.path, text)
    }
}

/// Puts `text` in place of a file's content, so that after a crash it is either the old or the new one.
fn replace(path: &Path, text: &[u8]) -> io::Result<()> {
    use std::io::Write;
    let mut temporary = path.as_os_str().to_owned();
    temporary.push(format!(".{}.tmp", std::process::id()));
    let mut file = std::fs::File::create(&temporary)?;
    // Who may read secrets stays as it was.
    let allowed = match std::fs::metadata(path) {
        Ok(old) => file.set_permissions(old.permissions()),
        Err(_) => Ok(()),
    };
    let written = allowed
        .and_then(|()| file.write_all(text))
        .and_then(|()| file.sync_all());
    let moved = written.and_then(|()| std::fs::rename(&temporary, path));
    if moved.is_err() {
        // What matters is the first error; a left-over temporary file harms nobody.
        let _ = std::fs::remove_file(&temporary);
    }
    moved?;
    // The new name is on disk when its folder is.
    let folder = path.parent().filter(|p| !p.as_os_str().is_empty());
    std::fs::File::open(folder.unwrap_or(Path::new(".")))?.sync_all()
}
