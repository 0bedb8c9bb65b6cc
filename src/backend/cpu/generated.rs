//! Is assembly that was generated what its program writes?

/// Checks a file, by its name from the folder of this one on. With `MIDSTATE_WRITE` in the environment it is written first.
///
/// # Panics
/// When it is not current.
pub(super) fn assert_current(file: &str, text: &str) {
    let path = format!("{}/src/backend/cpu/{file}", env!("CARGO_MANIFEST_DIR"));
    if std::env::var_os("MIDSTATE_WRITE").is_some() {
        std::fs::write(&path, text).unwrap_or_else(|error| panic!("{file} cannot be written: {error}"));
    }
    let current = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{file} cannot be read: {error}"));
    let current = current.replace("\r\n", "\n");
    assert!(current == text, "{file} is not what generate.rs writes: run this test with MIDSTATE_WRITE=1");
}
