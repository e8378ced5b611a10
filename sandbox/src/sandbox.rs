//! The sandbox as others use it: start it, look into it, stop it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, MutexGuard};

use jiff::Timestamp;
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use crate::chronicle::Chronicle;
use crate::http::dynamodb::Tables;
use crate::http::{self, Door};
use crate::platform::calibration;
use crate::platform::clock::VirtualClock;
use crate::platform::drive::Drive;
use crate::platform::lambda::{ArmedKill, Strike};
use crate::platform::template::{Account, DEFAULT_BUS, Template};
use crate::platform::transcript::Transcript;
use crate::platform::{LoadError, Platform, bus};
use crate::world::{self, Estate, EstateParts, World};

/// How a sandbox is started.
#[derive(Debug, Clone)]
pub struct Options {
    /// The SAM template.
    pub template: PathBuf,
    /// Values for some of the template's parameters.
    pub parameters: BTreeMap<String, String>,
    /// The folder that holds the functions' binaries, each under the name that
    /// the template gives in `Metadata.BuildProperties.Binary`.
    pub functions_dir: PathBuf,
    /// Virtual seconds per wall second that are asked for; a machine that
    /// calibration finds too slow gets fewer.
    pub rate: u32,
    /// How the World behaves; the account is the sandbox's own.
    pub world: world::Config,
    /// One seed, one World and one platform; the functions' speed is the machine's.
    pub seed: u64,
    /// The door's port; 0 for any free one.
    pub port: u16,
    /// Virtual time at the start, before the estates are made.
    pub t0: Timestamp,
    /// Estates that stand, and have users, when the clock starts. Their making takes virtual minutes, which lie
    /// before the start.
    pub estates: Vec<Estate>,
    /// Actions taken away from a function's role: the function, and the action as the template writes it.
    pub without: Vec<(String, String)>,
}

impl Options {
    /// A sandbox for `template` at a rate of 60, seed 1, on any free port.
    pub fn new(template: impl Into<PathBuf>, functions_dir: impl Into<PathBuf>) -> Self {
        Self {
            template: template.into(),
            parameters: BTreeMap::new(),
            functions_dir: functions_dir.into(),
            rate: 60,
            world: world::Config::default(),
            seed: 1,
            port: 0,
            t0: T0,
            estates: Vec::new(),
            without: Vec::new(),
        }
    }
}

/// Monday, 5 January 2026, 09:00 UTC: a date that reads well in a log.
const T0: Timestamp = Timestamp::constant(1_767_603_600, 0);

/// Why a sandbox does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error("cannot read {path}: {source}")]
    Template { path: PathBuf, source: std::io::Error },
    #[error(transparent)]
    Load(#[from] LoadError),
    #[error("cannot listen on 127.0.0.1:{port}: {source}; choose another port, or 0 for any")]
    Port { port: u16, source: std::io::Error },
    #[error("{function}: there is no binary {path}; build the functions first")]
    NoBinary { function: String, path: PathBuf },
    #[error("the estate cannot be made: {0}")]
    Estate(#[from] world::ApiError),
    #[error("{function} is not granted {action} by its role, so it cannot be taken away")]
    NotGranted { function: String, action: String },
}

/// A running sandbox. Dropped, it ends with its functions.
pub struct Sandbox {
    door: Arc<Door>,
    serving: JoinHandle<()>,
    url: String,
    estates: Vec<EstateParts>,
}

impl Sandbox {
    /// Starts the World, the platform around it, and the door.
    ///
    /// # Errors
    /// Whatever keeps it from running as AWS would.
    pub async fn start(options: Options) -> Result<Self, StartError> {
        let text = std::fs::read_to_string(&options.template)
            .map_err(|source| StartError::Template { path: options.template.clone(), source })?;
        let listener = TcpListener::bind(("127.0.0.1", options.port))
            .await
            .map_err(|source| StartError::Port { port: options.port, source })?;
        let address = listener.local_addr().map_err(|source| StartError::Port { port: options.port, source })?;
        let url = format!("http://{address}");
        let mut template = Template::load(&text, &Account::sandbox(&url), &options.parameters)?;
        take_away(&mut template, &options.without)?;
        find_binaries(&template, &options.functions_dir)?;
        let account = world_account(&template.account);
        let config = world::Config { account: account.clone(), ..options.world };
        let rate = calibration::rate(options.rate, &config, options.t0);
        let mut world = World::with_config(options.seed, options.t0, config);
        let estates = options.estates.iter().map(|estate| estate.build(&mut world));
        let estates = estates.collect::<Result<Vec<EstateParts>, _>>()?;
        let clock = VirtualClock::start(world.now(), rate);
        let tables = Tables::create(&template, &clock)?;
        let platform = Arc::new(Platform::new(template, clock.clone(), &options.functions_dir, options.seed));
        let drive = Arc::new(Drive::new(world, clock));
        platform.spawn(drive.clone().run(platform.clone()));
        let door = Arc::new(Door { platform, drive, tables, chronicle: Chronicle::default(), account });
        let serving = tokio::spawn(http::serve(listener, door.clone()));
        door.platform.start();
        Ok(Self { door, serving, url, estates })
    }

    /// The door's address, which is `AWS_ENDPOINT_URL`.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The URL of a function, by its logical id, its name or its binary.
    pub fn function_url(&self, name: &str) -> Option<String> {
        let function = self.platform().template.function(name).filter(|f| f.url.is_some())?;
        Some(self.platform().template.account.function_url(&function.name))
    }

    /// The World at this moment. It stands still as long as the guard is held.
    pub fn world(&self) -> MutexGuard<'_, World> {
        self.door.drive.world()
    }

    /// Does something to the World at this moment; what it emits reaches the bus at once.
    pub fn with_world<T>(&self, act: impl FnOnce(&mut World) -> T) -> T {
        self.door.drive.with(self.platform(), act)
    }

    /// What the estates consist of, in the order of the options.
    pub fn estates(&self) -> &[EstateParts] {
        &self.estates
    }

    /// What became durable, and when.
    pub fn chronicle(&self) -> &Chronicle {
        &self.door.chronicle
    }

    /// The platform: queues, buses, functions, roles, the clock.
    pub fn platform(&self) -> &Arc<Platform> {
        &self.door.platform
    }

    /// The tables, for a look from outside the door.
    pub fn tables(&self) -> &Tables {
        &self.door.tables
    }

    /// Who asked what of AWS.
    pub fn transcript(&self) -> &Transcript {
        &self.platform().transcript
    }

    /// Virtual time.
    pub fn now(&self) -> Timestamp {
        self.platform().clock.now()
    }

    /// Virtual seconds per wall second.
    pub fn rate(&self) -> u32 {
        self.platform().clock.rate()
    }

    /// Puts a whole envelope on the default bus, as an AWS service does.
    pub fn put_event(&self, event: &Value) {
        bus::put(self.platform(), DEFAULT_BUS, event);
    }

    /// Kills a process of the function in the middle of an invocation and
    /// returns the invocation's id; `None` if none is under way.
    pub async fn kill(&self, function: &str) -> Option<String> {
        let id = &self.platform().template.function(function)?.id;
        self.platform().lambda.host(id)?.kill().await
    }

    /// Has a process of the function killed when it makes this call the next
    /// time, as `elasticloadbalancing:ModifyRule`; `false` if there is no such function.
    pub fn kill_at(&self, function: &str, operation: &str, when: Strike) -> bool {
        self.arm(function, operation, when, &[], true)
    }

    /// The same on the near side of the call, but only after other calls of the same invocation are answered: between
    /// calls that go out together.
    pub fn kill_once_done(&self, function: &str, operation: &str, others: &[&str]) -> bool {
        self.arm(function, operation, Strike::Before, others, true)
    }

    /// Holds a function's next call of this kind until other calls of the same invocation are answered: whoever waits
    /// for the held one before those is found out, because a hold gives up in the end.
    pub fn hold_until_done(&self, function: &str, operation: &str, others: &[&str]) -> bool {
        self.arm(function, operation, Strike::Before, others, false)
    }

    fn arm(&self, function: &str, operation: &str, when: Strike, others: &[&str], dies: bool) -> bool {
        let Some(function) = self.platform().template.function(function) else {
            return false;
        };
        let once_done = others.iter().map(|call| (*call).to_owned()).collect();
        let kill = ArmedKill { function: function.id.clone(), operation: operation.to_owned(), when, once_done, dies };
        self.platform().lambda.arm(kill);
        true
    }

    /// How many function processes were killed on purpose.
    pub fn kills(&self) -> u64 {
        self.platform().lambda.hosts().map(|host| host.kills()).sum()
    }

    /// What a function printed.
    pub fn log(&self, function: &str) -> Vec<String> {
        let function = self.platform().template.function(function);
        function.and_then(|f| self.platform().lambda.host(&f.id)).map(|host| host.log()).unwrap_or_default()
    }

    /// Why the run is not to be trusted, if it is not.
    pub fn overloaded(&self) -> Option<String> {
        self.door.drive.overloaded().map(str::to_owned)
    }

    /// Ends the sandbox and waits until its function processes are gone.
    pub async fn shutdown(self) {
        self.end().await;
    }

    /// The same where others still look at it: nothing moves any more.
    pub async fn end(&self) {
        self.platform().stop();
        self.platform().lambda.stop().await;
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        self.serving.abort();
        self.platform().stop();
    }
}

fn take_away(template: &mut Template, without: &[(String, String)]) -> Result<(), StartError> {
    for (function, action) in without {
        if !template.remove_action(function, action) {
            return Err(StartError::NotGranted { function: function.clone(), action: action.clone() });
        }
    }
    Ok(())
}

fn find_binaries(template: &Template, folder: &Path) -> Result<(), StartError> {
    for function in &template.functions {
        let path = folder.join(&function.binary);
        if !path.is_file() {
            return Err(StartError::NoBinary { function: function.id.clone(), path });
        }
    }
    Ok(())
}

fn world_account(account: &Account) -> world::Account {
    world::Account {
        id: account.id.clone(),
        region: account.region.clone(),
        zones: ["a", "b"].map(|zone| format!("{}{zone}", account.region)).to_vec(),
    }
}
