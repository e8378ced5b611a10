//! `tidegate lint`: every mistake of a spec at its line and column, before anything is asked of AWS.

use std::path::PathBuf;

use super::Context;
use crate::console::Output;
use crate::exit::Exit;
use crate::failure::Outcome;
use crate::files;

/// Check specs: every mistake with line, column and hint
///
/// Reads nothing but the files. A spec without mistakes is printed with all its defaults.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Specs in YAML or JSON; `-` reads standard input
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
}

pub fn run(args: &Args, context: &mut Context) -> Outcome {
    let (mut lints, mut texts) = (Vec::new(), Vec::new());
    for file in &args.files {
        let text = files::text(file)?;
        let lint = tidegate::spec::lint(&file.display().to_string(), &text);
        texts.push(lint.text(&text));
        lints.push(lint);
    }
    match context.console.output {
        Output::Json => context.console.data(&lints, |_| Vec::new())?,
        Output::Text => context.console.document(&texts.concat())?,
    }
    let bad: Vec<&str> = lints.iter().filter(|lint| lint.spec.is_none()).map(|lint| lint.file.as_str()).collect();
    if bad.is_empty() {
        return Ok(Exit::Ok);
    }
    Err(files::mistakes(lints.iter().map(|lint| lint.errors.len()).sum(), &bad.join(", ")))
}
