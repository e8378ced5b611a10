//! The function binaries: found beside the running program, built by one nested `cargo build` in its profile.
//!
//! Cargo builds no other member's binaries for `cargo run` and `cargo test`, and the functions are no default members,
//! because feature unification would switch the AWS SDK on for everybody.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The packages that template.yaml deploys; each has one binary of its own name.
pub const PACKAGES: [&str; 6] = ["controller", "alarm", "analysis", "command", "query", "sweep"];

/// Why there are no binaries.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    #[error(
        "{program} does not stand in a Cargo target folder, so the functions' profile is not known; \
         use `cargo demo` or `cargo test` in a checkout, or say where the binaries are"
    )]
    NoTarget { program: PathBuf },
    #[error("{root} is no checkout of the workspace; say where the template and the binaries are")]
    NoCheckout { root: PathBuf },
    #[error("cannot start {cargo}: {source}; is Cargo on the PATH?")]
    NoCargo { cargo: String, source: std::io::Error },
    #[error("the functions cannot be built:\n{output}")]
    Failed { output: String },
}

/// Where the binaries are built: as the program that asks was built itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bench {
    /// Cargo's target folder.
    pub target: PathBuf,
    /// The target triple, where the program was built with `--target`.
    pub triple: Option<String>,
    /// The profile's name for `--profile`.
    pub profile: String,
    /// The folder that the binaries land in.
    pub binaries: PathBuf,
}

impl Bench {
    /// Finds the bench of a program by where it stands: `target/[triple/]profile/[deps/]program`.
    ///
    /// # Errors
    /// A program that Cargo did not put there.
    pub fn of(program: &Path) -> Result<Self, BuildError> {
        let unknown = || BuildError::NoTarget { program: program.to_owned() };
        let folder = program.parent().ok_or_else(unknown)?;
        let binaries = match folder.file_name() {
            Some(name) if name == "deps" || name == "examples" => folder.parent().ok_or_else(unknown)?,
            Some(_) | None => folder,
        };
        let profile = match binaries.file_name().and_then(|name| name.to_str()).ok_or_else(unknown)? {
            // Cargo names the folder of `dev`, `test` and `bench` by what they were once.
            "debug" => "dev",
            other => other,
        };
        let above = binaries.parent().ok_or_else(unknown)?;
        // Only Cargo's target folder itself has this file, and no triple's folder in it.
        let is_target = |folder: &Path| folder.join(".rustc_info.json").is_file();
        let (target, triple) = match above.parent() {
            _ if is_target(above) => (above, None),
            Some(parent) if is_target(parent) => (parent, above.file_name().and_then(|name| name.to_str())),
            Some(_) | None => return Err(unknown()),
        };
        Ok(Self {
            target: target.to_owned(),
            triple: triple.map(str::to_owned),
            profile: profile.to_owned(),
            binaries: binaries.to_owned(),
        })
    }

    /// Whether every binary is there; it may still be older than its source.
    pub fn is_furnished(&self) -> bool {
        PACKAGES.iter().all(|package| self.binaries.join(package).is_file())
    }

    /// Builds what is not up to date, with the lockfile as it is, and returns the binaries' folder. `cargo` is the one
    /// that runs us, as its variable `CARGO` says.
    ///
    /// # Errors
    /// What Cargo says, whole: a build that works says nothing.
    pub fn build(&self, cargo: Option<OsString>) -> Result<PathBuf, BuildError> {
        let root = checkout()?;
        let cargo = cargo.unwrap_or_else(|| OsString::from("cargo"));
        let mut command = Command::new(&cargo);
        command.current_dir(&root).args(["build", "--locked", "--color", "never", "--profile", &self.profile]);
        command.arg("--target-dir").arg(&self.target);
        if let Some(triple) = &self.triple {
            command.args(["--target", triple]);
        }
        for package in PACKAGES {
            command.args(["--package", package]);
        }
        let output = command
            .output()
            .map_err(|source| BuildError::NoCargo { cargo: cargo.to_string_lossy().into_owned(), source })?;
        if !output.status.success() {
            return Err(BuildError::Failed { output: String::from_utf8_lossy(&output.stderr).into_owned() });
        }
        Ok(self.binaries.clone())
    }
}

/// The checkout that this program was built from.
///
/// # Errors
/// The checkout is gone.
pub fn checkout() -> Result<PathBuf, BuildError> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap_or(Path::new("/")).to_owned();
    if root.join("template.yaml").is_file() && root.join("Cargo.lock").is_file() {
        return Ok(root);
    }
    Err(BuildError::NoCheckout { root })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_test_knows_its_own_profile_and_target() {
        let program = std::env::current_exe().unwrap();
        let bench = Bench::of(&program).unwrap();
        assert!(program.starts_with(&bench.binaries));
        assert!(bench.binaries.starts_with(&bench.target));
        assert_ne!(bench.profile, "debug", "cargo has no profile of that name");
        assert!(matches!(Bench::of(Path::new("/usr/bin/tidegate")), Err(BuildError::NoTarget { .. })));
    }

    #[test]
    fn the_packages_are_those_that_the_template_deploys() {
        let text = std::fs::read_to_string(checkout().unwrap().join("template.yaml")).unwrap();
        let account = crate::platform::template::Account::sandbox("http://127.0.0.1:1");
        let template = crate::platform::template::Template::load(&text, &account, &Default::default()).unwrap();
        let mut deployed: Vec<&str> = template.functions.iter().map(|function| function.binary.as_str()).collect();
        let mut built = PACKAGES.to_vec();
        deployed.sort_unstable();
        built.sort_unstable();
        assert_eq!(built, deployed);
    }
}
