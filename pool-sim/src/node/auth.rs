//! Who may call the node: a cookie file, or a user and a password, as with Bitcoin Core.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use bitcoin::hex::DisplayHex;
use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// The credentials that calls must carry, as HTTP's basic authorization.
#[derive(Clone)]
pub struct Auth {
    /// `user:password`
    expected: String,
}

impl std::fmt::Debug for Auth {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Auth(…)")
    }
}

impl Auth {
    /// A user and a password.
    pub fn password(user: &str, password: &str) -> Auth {
        Auth { expected: format!("{user}:{password}") }
    }

    /// The user `__cookie__` and a random password of 64 hex digits, for a [`Cookie`].
    pub fn random() -> io::Result<Auth> {
        let mut secret = [0; 32];
        getrandom::fill(&mut secret)?;
        Ok(Auth::password("__cookie__", &secret.to_lower_hex_string()))
    }

    /// Whether an `Authorization` header has them.
    pub(super) fn allows(&self, header: Option<&[u8]>) -> bool {
        let given = header
            .and_then(|header| header.strip_prefix(b"Basic "))
            .and_then(|encoded| BASE64_STANDARD.decode(encoded.trim_ascii()).ok());
        given.is_some_and(|given| equal(&given, self.expected.as_bytes()))
    }
}

/// Compares without telling by its time where the difference is.
fn equal(a: &[u8], b: &[u8]) -> bool {
    a.len() == b.len() && a.iter().zip(b).fold(0, |difference, (a, b)| difference | (a ^ b)) == 0
}

/// A cookie file: `<data-dir>/regtest/.cookie`, with `__cookie__:` and 64 hex digits. Removed when dropped.
#[derive(Debug)]
pub struct Cookie {
    path: PathBuf,
    auth: Auth,
}

impl Cookie {
    /// Writes credentials, usually [`Auth::random`], into the file, readable by its owner only. To be done when the server
    /// has its port, so that a program that starts in vain leaves the cookie of the one that runs.
    pub fn write(data_dir: &Path, auth: Auth) -> io::Result<Cookie> {
        let directory = data_dir.join("regtest");
        fs::create_dir_all(&directory)?;
        let path = directory.join(".cookie");
        // A file that is left from a crash may have other permissions.
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let mut options = OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        options.open(&path)?.write_all(auth.expected.as_bytes())?;
        Ok(Cookie { path, auth })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Cookie {
    fn drop(&mut self) {
        // Another program may have put its own there since.
        if fs::read(&self.path).is_ok_and(|text| text == self.auth.expected.as_bytes()) {
            // What cannot be removed is void with the server anyway.
            let _ = fs::remove_file(&self.path);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_right_credentials_pass() {
        let auth = Auth::password("alice", "s3cret");
        let header = |text: &str| format!("Basic {}", BASE64_STANDARD.encode(text)).into_bytes();
        assert!(auth.allows(Some(&header("alice:s3cret"))));
        for wrong in ["alice:s3cre", "alice:s3cret ", "bob:s3cret", "", ":"] {
            assert!(!auth.allows(Some(&header(wrong))), "{wrong}");
        }
        assert!(!auth.allows(None));
        assert!(!auth.allows(Some(b"Basic !!!")) && !auth.allows(Some(b"Bearer x")));
        assert!(!format!("{auth:?}").contains("s3cret"));
    }

    #[test]
    fn cookies_come_and_go() {
        let directory = tempfile::tempdir().unwrap();
        let write = || Cookie::write(directory.path(), Auth::random().unwrap()).unwrap();
        let cookie = write();
        let text = fs::read_to_string(cookie.path()).unwrap();
        assert_eq!(text, cookie.auth.expected);
        assert_eq!(text.len(), "__cookie__:".len() + 64);
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            assert_eq!(fs::metadata(cookie.path()).unwrap().permissions().mode() & 0o777, 0o600);
        }
        let second = write();
        drop(cookie);
        assert_eq!(fs::read_to_string(second.path()).unwrap(), second.auth.expected);
        let path = second.path().to_owned();
        drop(second);
        assert!(!path.exists());
    }
}
