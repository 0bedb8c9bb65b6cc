//! The configuration file of `mine`: which one, and what it says.

use super::SettingsError;
use midstate::config::{Config, Lines};
use std::io;
use std::path::{Path, PathBuf};

/// A file that was read.
pub(super) struct File {
    pub path: PathBuf,
    pub config: Config,
    pub lines: Lines,
}

/// Where the configuration file lies if nobody says otherwise.
pub(in crate::cli) fn standard_place() -> Option<PathBuf> {
    Some(dirs::config_dir()?.join("midstate").join("config.toml"))
}

impl File {
    /// The file that was asked for, or else the one in the standard place if there is one.
    pub(super) fn find(asked: Option<&Path>) -> Result<Option<File>, SettingsError> {
        use io::ErrorKind::{NotADirectory, NotFound};
        let Some(path) = asked.map(Path::to_owned).or_else(standard_place) else { return Ok(None) };
        match std::fs::read_to_string(&path) {
            Ok(text) => match Config::read(&text) {
                Ok((config, lines)) => Ok(Some(File { path, config, lines })),
                Err(source) => Err(SettingsError::Config { path, source }),
            },
            Err(error) if asked.is_none() && matches!(error.kind(), NotFound | NotADirectory) => Ok(None),
            Err(source) => Err(SettingsError::Unreadable { path, source }),
        }
    }

    /// What is to be said of a password that others can read.
    #[cfg(unix)]
    pub(super) fn warning(&self) -> Option<String> {
        use std::os::unix::fs::PermissionsExt;
        let mut pools = self.config.pools.iter().chain([&self.config.defaults]);
        let mode = std::fs::metadata(&self.path).ok()?.permissions().mode() & 0o777;
        let path = self.path.display();
        let said = || format!("{path} holds a password, and others can read it (mode {mode:03o}); expected 600");
        (mode & 0o044 != 0 && pools.any(|pool| pool.password.is_some())).then(said)
    }

    #[cfg(not(unix))]
    pub(super) fn warning(&self) -> Option<String> {
        None
    }
}
