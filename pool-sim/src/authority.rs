//! The authority's secret in a file, so that miners' URLs hold over a restart.

use midstate_stratum::v2::{Authority, AuthorityError};
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use thiserror::Error;

/// A secret is 51 letters at most. More than this is no such file.
const LONGEST: u64 = 1 << 10;

/// Why there is no authority. What the file says is never shown.
#[derive(Debug, Error)]
pub enum AuthorityFileError {
    /// It cannot be read.
    #[error("cannot read the authority's secret in {file}: {source}")]
    Read {
        /// Which.
        file: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// It was not there, and cannot be made.
    #[error("cannot keep the authority's secret in {file}: {source}")]
    Make {
        /// Which.
        file: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// It says something else.
    #[error("{file}: {source}; without the file, the next start makes a new authority, and miners need its new key")]
    Secret {
        /// Which.
        file: PathBuf,
        /// What is wrong.
        source: AuthorityError,
    },
}

/// The authority whose secret the file has, in base58-check. Where there is no such file, a new authority, whose secret is kept
/// there, for its owner only.
pub fn read_or_make(file: &Path) -> Result<Authority, AuthorityFileError> {
    match File::open(file) {
        Ok(open) => read(open, file),
        Err(source) if source.kind() == io::ErrorKind::NotFound => {
            make(file).map_err(|source| AuthorityFileError::Make { file: file.to_owned(), source })
        }
        Err(source) => Err(AuthorityFileError::Read { file: file.to_owned(), source }),
    }
}

fn read(open: File, file: &Path) -> Result<Authority, AuthorityFileError> {
    let mut text = String::new();
    match open.take(LONGEST).read_to_string(&mut text) {
        Ok(_) => {}
        // It is not even a text.
        Err(error) if error.kind() == io::ErrorKind::InvalidData => text.clear(),
        Err(source) => return Err(AuthorityFileError::Read { file: file.to_owned(), source }),
    }
    text.trim().parse().map_err(|source| AuthorityFileError::Secret { file: file.to_owned(), source })
}

fn make(file: &Path) -> io::Result<Authority> {
    let authority = loop {
        let mut secret = [0; 32];
        getrandom::fill(&mut secret)?;
        // One in 2^128 is none.
        if let Ok(authority) = Authority::new(secret) {
            break authority;
        }
    };
    if let Some(directory) = file.parent() {
        fs::create_dir_all(directory)?;
    }
    // Under its name only when it is whole.
    let mut unfinished = file.as_os_str().to_owned();
    unfinished.push(format!(".{}", std::process::id()));
    let unfinished = PathBuf::from(unfinished);
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut open = options.open(&unfinished)?;
    let written = writeln!(open, "{}", authority.to_secret_text())
        .and_then(|()| open.sync_all())
        .and_then(|()| fs::rename(&unfinished, file));
    if written.is_err() {
        // What is left of it says nothing to anybody.
        let _ = fs::remove_file(&unfinished);
    }
    written.map(|()| authority)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_authority_is_made_once() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("data/authority");
        let made = read_or_make(&file).unwrap();
        assert_eq!(fs::read_to_string(&file).unwrap(), format!("{}\n", made.to_secret_text()));
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
        }
        assert_eq!(read_or_make(&file).unwrap().key(), made.key());
        assert_eq!(fs::read_dir(file.parent().unwrap()).unwrap().count(), 1);
        assert_ne!(read_or_make(&directory.path().join("other")).unwrap().key(), made.key());
    }

    #[test]
    fn what_is_wrong_is_said() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("authority");
        for text in [&b""[..], b"mkDLTBBRxdBv998612qipDYoTK3YUrqLe8uWw7gu3iXbSrn2m", b"\xff\xff", &[b'm'; 5000]] {
            fs::write(&file, text).unwrap();
            let error = read_or_make(&file).unwrap_err();
            assert!(matches!(error, AuthorityFileError::Secret { source: AuthorityError::Base58, .. }), "{error}");
            assert!(!error.to_string().contains("mkDL"));
            assert_eq!(fs::read(&file).unwrap(), text);
        }
        assert!(matches!(read_or_make(directory.path()), Err(AuthorityFileError::Read { .. })));
        fs::write(&file, "").unwrap();
        assert!(matches!(read_or_make(&file.join("authority")), Err(AuthorityFileError::Read { .. })));
    }
}
