//! The figures of docs/performance.md, as Markdown. `scripts/bench` builds what this compares, and runs it.

mod machine;
mod rollout;
mod sizes;
mod start;
mod tls;

use std::path::{Path, PathBuf};

use sandbox::Options;

type Failure = Box<dyn std::error::Error>;

const USAGE: &str = "usage: bench FUNCTIONS-DIR SMALLEST BOTO3 CERTIFICATES-DIR ROUNDS; `scripts/bench` knows them";

fn main() -> Result<(), Failure> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [functions, smallest, boto3, certificates, rounds] = arguments.as_slice() else { return Err(USAGE.into()) };
    let absolute = |path: &String| std::path::absolute(path);
    let (functions, smallest, boto3) = (absolute(functions)?, absolute(smallest)?, absolute(boto3)?);
    let (certificates, rounds) = (absolute(certificates)?, rounds.parse()?);
    let checkout = sandbox::functions::checkout()?;
    let options = || Options::new(checkout.join("template.yaml"), functions.clone());
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;

    println!("### Size\n");
    sizes::print(&functions)?;
    println!("\n### Start\n");
    let programs =
        start::Programs { functions: &functions, smallest: &smallest, boto3: &boto3, certificates: &certificates };
    runtime.block_on(start::print(options(), programs, &events(&checkout), rounds))?;
    println!("\n### The machine\n");
    machine::print()?;
    println!("\n### A good rollout\n");
    rollout::print(&runtime, options())
}

fn events(checkout: &Path) -> PathBuf {
    checkout.join("events")
}
