//! `tidegate lint`: every mistake of a spec at its line and column, before anything is asked of AWS.

use std::path::PathBuf;

use tidegate::spec::print;

use super::Context;
use crate::console::Output;
use crate::exit::Exit;
use crate::failure::Outcome;
use crate::files;

/// Check specs: every mistake with line, column and hint
///
/// Reads nothing but the files. Standard output has the mistakes, or, of specs without any, the specs with all their
/// defaults written out.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Specs in YAML or JSON; `-` reads standard input
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
}

pub fn run(args: &Args, context: &mut Context) -> Outcome {
    let console = &mut context.console;
    let (mut lints, mut texts) = (Vec::new(), Vec::new());
    for file in &args.files {
        let text = files::text(file)?;
        let lint = tidegate::spec::lint(&file.display().to_string(), &text);
        texts.push(lint.text(&text));
        lints.push(lint);
    }
    let specs: Option<Vec<String>> = lints.iter().map(|lint| lint.spec.as_ref().map(print)).collect();
    match (console.output, &specs) {
        (Output::Json, _) => console.data(&lints, |_| Vec::new())?,
        (Output::Text, None) => console.document(&texts.concat())?,
        (Output::Text, Some(specs)) => {
            console.story_lines(&texts.concat());
            console.document(&specs.join("---\n"))?;
        }
    }
    Ok(if specs.is_some() { Exit::Ok } else { Exit::Usage })
}
