//! The public corpus of recorded events, read in place where it lies beside the repository.

use std::path::{Path, PathBuf};

/// Returns the folder of recorded events: `$TIDEGATE_CORPUS/events`, or `shared/events` beside the repository or
/// above it. `None` where there is none; the caller says that it skipped.
pub fn events() -> Option<PathBuf> {
    folder("events", "index.md")
}

/// Returns the folder of golden vectors of the analysis, looked for in the same places.
pub fn analysis() -> Option<PathBuf> {
    folder("analysis", "sequential-vectors.json")
}

fn folder(name: &str, holds: &str) -> Option<PathBuf> {
    let named = std::env::var_os("TIDEGATE_CORPUS").map(|corpus| PathBuf::from(corpus).join(name));
    let above = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().skip(2).map(|above| above.join("shared").join(name));
    named.into_iter().chain(above).find(|folder| folder.join(holds).is_file())
}

/// Returns the files of a folder with this extension: name and text, by name.
///
/// # Panics
/// If a file cannot be read.
pub fn files(folder: &Path, extension: &str) -> Vec<(String, String)> {
    let entries = std::fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut files: Vec<_> = entries
        .map(|entry| entry.expect("a folder lists its files").path())
        .filter(|path| path.extension().is_some_and(|found| found == extension))
        .map(|path| {
            let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
            let name = path.file_name().expect("a file has a name").to_string_lossy().into_owned();
            (name, text)
        })
        .collect();
    files.sort();
    files
}
