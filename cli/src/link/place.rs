//! Where the two functions are: flags before environment, and a sandbox, whose URLs follow from its address.

use super::Door;
use crate::exit::Exit;
use crate::failure::Failure;

/// Variables that stand for the flags of the same names.
const COMMAND_URL: &str = "TIDEGATE_COMMAND_URL";
const QUERY_URL: &str = "TIDEGATE_QUERY_URL";
const SANDBOX: &str = "TIDEGATE_SANDBOX";
const SANDBOX_PRINCIPAL: &str = "TIDEGATE_SANDBOX_PRINCIPAL";

/// Who a sandbox takes us for where nobody says it: a role that holds both caller policies.
const PRINCIPAL: &str = "operator";

/// A sandbox serves a function's URL here, under the name of its binary.
const SANDBOX_PATH: &str = "/lambda-url/";

/// Flags that every verb takes.
#[derive(Debug, Clone, Default, clap::Args)]
#[command(next_help_heading = "Connection")]
pub struct Flags {
    /// Function URL of `command` [env: TIDEGATE_COMMAND_URL]
    #[arg(long, global = true, value_name = "URL")]
    pub command_url: Option<String>,
    /// Function URL of `query` [env: TIDEGATE_QUERY_URL]
    #[arg(long, global = true, value_name = "URL")]
    pub query_url: Option<String>,
    /// A running sandbox, in place of both URLs [env: TIDEGATE_SANDBOX]
    #[arg(long, global = true, value_name = "URL", conflicts_with_all = ["command_url", "query_url"])]
    pub sandbox: Option<String>,
}

/// Where the two functions are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    command: Option<String>,
    query: Option<String>,
    sandbox: Option<String>,
    principal: String,
}

impl Place {
    /// Decides from flags and environment. A flag outranks every variable; two variables that contradict each other
    /// are a mistake, because one of them may be production.
    pub fn decide(flags: &Flags, environment: impl Fn(&str) -> Option<String>) -> Result<Self, Failure> {
        let variable = |name| environment(name).filter(|value| !value.is_empty());
        let principal = variable(SANDBOX_PRINCIPAL).unwrap_or_else(|| PRINCIPAL.to_owned());
        if let Some(sandbox) = &flags.sandbox {
            return Ok(Self { command: None, query: None, sandbox: Some(sandbox.clone()), principal });
        }
        let (command, query) = (variable(COMMAND_URL), variable(QUERY_URL));
        if flags.command_url.is_some() || flags.query_url.is_some() {
            return Ok(Self {
                command: flags.command_url.clone().or(command),
                query: flags.query_url.clone().or(query),
                sandbox: None,
                principal,
            });
        }
        let sandbox = variable(SANDBOX);
        if sandbox.is_some() && (command.is_some() || query.is_some()) {
            return Err(Failure::new(
                Exit::Usage,
                format!("{SANDBOX} is set, and so is {COMMAND_URL} or {QUERY_URL}"),
                "unset one of them, or say `--sandbox` or `--command-url` and `--query-url`: a flag outranks them",
            ));
        }
        Ok(Self { command, query, sandbox, principal })
    }

    /// Returns the URL of a function.
    pub fn url(&self, door: Door) -> Result<String, Failure> {
        let (binary, url, flag, variable) = match door {
            Door::Command => ("command", &self.command, "--command-url", COMMAND_URL),
            Door::Query => ("query", &self.query, "--query-url", QUERY_URL),
        };
        if let Some(sandbox) = &self.sandbox {
            if !is_loopback(sandbox) {
                return Err(Failure::new(
                    Exit::Usage,
                    format!("{sandbox} is not on this machine"),
                    "a sandbox listens on loopback alone: `--sandbox http://127.0.0.1:PORT`",
                ));
            }
            return Ok(format!("{}{SANDBOX_PATH}{binary}/", sandbox.trim_end_matches('/')));
        }
        let url = url.clone().ok_or_else(|| {
            Failure::new(
                Exit::Usage,
                format!("where the controller is, is not known: neither {flag} nor {variable} is given"),
                "both URLs are outputs of the stack; for a sandbox, `--sandbox http://127.0.0.1:PORT`",
            )
        })?;
        if url.starts_with("https://") || is_loopback(&url) {
            return Ok(url);
        }
        Err(Failure::new(
            Exit::Usage,
            format!("{url} is neither https nor on this machine"),
            "a Function URL begins with https://; plain http is for a sandbox on 127.0.0.1",
        ))
    }

    /// Returns whom to be for a URL that takes no signature; `None` where a signature is due.
    pub fn unsigned_principal(&self, url: &str) -> Option<&str> {
        is_loopback(url).then_some(self.principal.as_str())
    }

    /// Returns what to do when nothing answers at `url`.
    pub fn hint(&self, url: &str) -> &'static str {
        if is_loopback(url) {
            "is the sandbox running, and is this its port? `tidegate sandbox serve --port N` starts one"
        } else {
            "compare the URL with the stack's outputs, and look at the function's log; rollouts go on without the CLI"
        }
    }
}

/// Whether requests to it stay on this machine, and so need no signature.
fn is_loopback(url: &str) -> bool {
    let Some(rest) = url.strip_prefix("http://") else { return false };
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    if authority.contains('@') {
        return false;
    }
    let host = match authority.strip_prefix('[') {
        Some(bracketed) => bracketed.split(']').next().unwrap_or_default(),
        None => authority.split(':').next().unwrap_or_default(),
    };
    host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decided(flags: &Flags, variables: &[(&str, &str)]) -> Result<Place, Failure> {
        Place::decide(flags, |asked| {
            variables.iter().find(|(name, _)| *name == asked).map(|(_, value)| (*value).to_owned())
        })
    }

    #[test]
    fn a_sandbox_flag_never_reaches_production() {
        let flags = Flags { sandbox: Some("http://127.0.0.1:1".into()), ..Flags::default() };
        let place = decided(&flags, &[(COMMAND_URL, "https://prod"), (QUERY_URL, "https://prod")]).unwrap();
        assert_eq!((place.command, place.query, place.sandbox), (None, None, flags.sandbox));
    }

    #[test]
    fn the_urls_of_a_sandbox_follow_from_its_address() {
        let at = |url: &str| Flags { sandbox: Some(url.into()), ..Flags::default() };
        let place = decided(&at("http://127.0.0.1:4566/"), &[]).unwrap();
        assert_eq!(place.url(Door::Command).unwrap(), "http://127.0.0.1:4566/lambda-url/command/");
        assert_eq!(place.url(Door::Query).unwrap(), "http://127.0.0.1:4566/lambda-url/query/");
        let elsewhere = decided(&at("http://10.0.0.1:4566"), &[]).unwrap();
        assert_eq!(elsewhere.url(Door::Query).unwrap_err().exit, Exit::Usage);
    }

    #[test]
    fn two_variables_that_contradict_each_other_are_a_mistake() {
        let both = [(SANDBOX, "http://127.0.0.1:1"), (QUERY_URL, "https://prod")];
        assert_eq!(decided(&Flags::default(), &both).unwrap_err().exit, Exit::Usage);
        let flags = Flags { query_url: Some("https://other".into()), ..Flags::default() };
        let place = decided(&flags, &both).unwrap();
        assert_eq!((place.query.as_deref(), place.sandbox), (Some("https://other"), None));
        assert!(decided(&Flags::default(), &[(SANDBOX, ""), (QUERY_URL, "https://prod")]).is_ok());
    }

    #[test]
    fn only_loopback_goes_unsigned() {
        for here in ["http://127.0.0.1:4566/x", "http://localhost", "http://[::1]:80/", "http://127.8.9.1"] {
            assert!(is_loopback(here), "{here}");
        }
        for elsewhere in [
            "https://127.0.0.1",
            "http://127.0.0.1.example.com/",
            "http://localhost@evil.example/",
            "http://10.0.0.1",
            "http://localhost.evil",
            "ftp://localhost",
        ] {
            assert!(!is_loopback(elsewhere), "{elsewhere}");
        }
    }
}
