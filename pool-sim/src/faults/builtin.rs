//! The scenarios that are built in.

/// Names with texts, from the files of those names.
macro_rules! scenarios {
    ($($name:literal),* $(,)?) => {
        [$(($name, include_str!(concat!("../../scenarios/", $name, ".toml")))),*]
    };
}

const ALL: [(&str, &str); 55] = scenarios![
    "clean-storm",
    "clock-ahead",
    "clock-behind",
    "closes",
    "closes-at-a-share",
    "corrupt-lines",
    "delayed-answers",
    "delayed-jobs",
    "difficulty-beyond-reach",
    "difficulty-down",
    "difficulty-up",
    "duplicate-answers",
    "duplicate-jobs",
    "extranonce-change",
    "extranonce-unasked",
    "false-rejection-20",
    "false-rejection-21",
    "false-rejection-22",
    "false-rejection-23",
    "false-rejection-24",
    "false-rejection-25",
    "get-version",
    "half-closed",
    "huge-lines",
    "invalid-utf8",
    "lost-answers",
    "lost-difficulty",
    "mask-by-set-version",
    "mask-narrows",
    "messages",
    "new-tips",
    "no-job-ever",
    "no-jobs",
    "nonsense",
    "ping",
    "reconnect-elsewhere",
    "reconnect-loop",
    "refuses-connections",
    "rejection-as-false",
    "rejection-as-object",
    "rejection-as-pair",
    "rejection-as-reason",
    "rejection-as-text",
    "reordered-answers",
    "restart",
    "restart-forgets",
    "silence",
    "slow-drip",
    "stale-jobs",
    "strange-payee",
    "string-ids",
    "truncated-answers",
    "truncated-jobs",
    "withheld-blocks",
    "wrong-ids",
];

/// Names and texts of all, by name.
pub fn builtin() -> impl Iterator<Item = (&'static str, &'static str)> {
    ALL.into_iter()
}

/// The text of the one with that name.
pub fn text(name: &str) -> Option<&'static str> {
    builtin().find(|(known, _)| *known == name).map(|(_, text)| text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::faults::Scenario;

    #[test]
    fn all_files_are_built_in_and_make_sense() {
        let directory = concat!(env!("CARGO_MANIFEST_DIR"), "/scenarios");
        let files = std::fs::read_dir(directory).unwrap();
        let mut files: Vec<_> = files.map(|file| file.unwrap().file_name().into_string().unwrap()).collect();
        files.sort();
        let mut names: Vec<_> = builtin().map(|(name, _)| format!("{name}.toml")).collect();
        names.sort();
        assert_eq!(files, names);
        assert!(names.len() >= 40);
        for (name, _) in builtin() {
            assert_eq!(Scenario::load(name).unwrap_or_else(|error| panic!("{error}")).name, name);
        }
    }
}
