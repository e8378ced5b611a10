//! Files that people name on the command line.

use std::io::Read;
use std::path::Path;

use tidegate::spec::lint;

use crate::console::Console;
use crate::exit::Exit;
use crate::failure::Failure;

/// Stands for standard input.
const STDIN: &str = "-";

/// Returns a file's bytes; `-` reads standard input.
pub fn bytes(path: &Path) -> Result<Vec<u8>, Failure> {
    let read = if path == Path::new(STDIN) {
        let mut bytes = Vec::new();
        std::io::stdin().lock().read_to_end(&mut bytes).map(|_| bytes)
    } else {
        std::fs::read(path)
    };
    read.map_err(|error| {
        let exit = if error.kind() == std::io::ErrorKind::NotFound { Exit::NotFound } else { Exit::Usage };
        Failure::new(
            exit,
            format!("cannot read `{}`: {error}", path.display()),
            "name a file, or `-` for standard input",
        )
    })
}

/// Returns a file's text.
pub fn text(path: &Path) -> Result<String, Failure> {
    String::from_utf8(bytes(path)?).map_err(|error| {
        Failure::new(
            Exit::Usage,
            format!("`{}` is not UTF-8 from byte {} on", path.display(), error.utf8_error().valid_up_to()),
            "write it in UTF-8",
        )
    })
}

/// Returns the text of a spec without mistakes. Mistakes, all of them, and warnings are told.
pub fn spec(path: &Path, console: &mut Console) -> Result<String, Failure> {
    let text = text(path)?;
    let lint = lint(&path.display().to_string(), &text);
    if lint.spec.is_some() && lint.warnings.is_empty() {
        return Ok(text);
    }
    console.story_lines(&lint.text(&text));
    if lint.spec.is_some() { Ok(text) } else { Err(Failure::told(Exit::Usage)) }
}
