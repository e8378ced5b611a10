//! Lambda: each function's processes, one invocation at a time in each, killed and restarted as AWS would.

pub mod asynchronous;
pub mod mapping;
pub mod process;

use std::collections::{BTreeMap, VecDeque};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use axum::body::Bytes;
use tokio::sync::Semaphore;

use process::{Answer, Event, KillSwitch, Launch, Process};

use super::Platform;
use super::iam::Call;
use super::template::Function;
use super::transcript::{Invocation, InvocationEnd};

/// Processes of a function that reserves no concurrency. AWS would start many
/// more; on one machine they would only take the time from each other.
const PROCESSES_MAX: usize = 4;

/// Lines of its log that a function keeps.
const LOG_LINES_MAX: usize = 20_000;

/// Wall time that a call is held for others of its invocation, and between two looks for them.
const HOLD_MAX: Duration = Duration::from_secs(3);
const HOLD_GLANCE: Duration = Duration::from_millis(2);

/// All functions of the stack.
pub struct Lambda {
    hosts: BTreeMap<String, Arc<Host>>,
    /// Kills that wait for a call, from [`Lambda::arm`].
    armed: Mutex<Vec<ArmedKill>>,
}

/// One function and its processes.
pub struct Host {
    pub function: Function,
    binary: PathBuf,
    permits: Semaphore,
    idle: Mutex<Vec<Process>>,
    /// By access key: what each process works on. An idle process works on nothing.
    working: Mutex<BTreeMap<String, Working>>,
    started: AtomicU64,
    kills: AtomicU64,
    log: Mutex<VecDeque<String>>,
}

struct Working {
    switch: KillSwitch,
    invocation: Option<String>,
}

/// What came of an invocation.
#[derive(Debug, Clone)]
pub struct Invoked {
    pub id: String,
    pub end: InvocationEnd,
    /// The response, or the function's error document.
    pub payload: Bytes,
}

/// A kill that happens when a function makes a certain call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ArmedKill {
    /// The function's logical id.
    pub function: String,
    /// The operation, as `elasticloadbalancing:ModifyRule`.
    pub operation: String,
    pub when: Strike,
    /// Calls of the same invocation, as `elasticloadbalancing:ModifyRule`, that are to be answered first; the call
    /// waits for them on its own side.
    pub once_done: Vec<String>,
    /// Whether the process dies then; otherwise the call was only held.
    pub dies: bool,
}

/// On which side of the call the process dies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Strike {
    /// AWS never hears of the call.
    Before,
    /// AWS has done it, and the function never hears of the answer.
    After,
}

impl Lambda {
    /// Makes a host for each function; no process is started yet.
    pub fn new(functions: &[Function], functions_dir: &std::path::Path) -> Self {
        let host = |function: &Function| {
            let processes = function.reserved_concurrency.map_or(PROCESSES_MAX, |n| n as usize);
            Arc::new(Host {
                function: function.clone(),
                binary: functions_dir.join(&function.binary),
                permits: Semaphore::new(processes),
                idle: Mutex::default(),
                working: Mutex::default(),
                started: AtomicU64::new(0),
                kills: AtomicU64::new(0),
                log: Mutex::default(),
            })
        };
        Self { hosts: functions.iter().map(|f| (f.id.clone(), host(f))).collect(), armed: Mutex::default() }
    }

    /// Kills every process, idle or not, and waits until they are gone.
    pub async fn stop(&self) {
        for host in self.hosts.values() {
            let switches: Vec<KillSwitch> = lock(&host.working).values().map(|w| w.switch.clone()).collect();
            for switch in switches {
                switch.strike().await;
            }
            lock(&host.idle).clear();
        }
    }

    /// All functions, by logical id.
    pub fn hosts(&self) -> impl Iterator<Item = &Arc<Host>> {
        self.hosts.values()
    }

    pub fn host(&self, id: &str) -> Option<&Arc<Host>> {
        self.hosts.get(id)
    }

    /// The function whose process has this access key, and the invocation it works on.
    pub fn caller(&self, access_key: &str) -> Option<(&Arc<Host>, Option<String>)> {
        self.hosts.values().find_map(|host| {
            let working = lock(&host.working);
            working.get(access_key).map(|w| (host, w.invocation.clone()))
        })
    }

    /// Has a process killed when it makes a call of this kind the next time.
    pub fn arm(&self, kill: ArmedKill) {
        lock(&self.armed).push(kill);
    }

    /// Kills the process with this access key if a kill waits for this call. `done` says whether the caller's
    /// invocation has had an answer to a call of this name.
    pub async fn strike(
        &self,
        host: &Host,
        access_key: &str,
        operation: &str,
        when: Strike,
        done: impl Fn(&str) -> bool,
    ) -> bool {
        let waiting = {
            let mut armed = lock(&self.armed);
            let fits = |k: &ArmedKill| k.function == host.function.id && k.operation == operation && k.when == when;
            armed.iter().position(fits).map(|index| armed.remove(index))
        };
        let Some(kill) = waiting else {
            return false;
        };
        let began = Instant::now();
        while !kill.once_done.iter().all(|call| done(call)) && began.elapsed() < HOLD_MAX {
            tokio::time::sleep(HOLD_GLANCE).await;
        }
        if !kill.dies {
            return false;
        }
        let Some(switch) = lock(&host.working).get(access_key).map(|w| w.switch.clone()) else {
            return false;
        };
        host.kills.fetch_add(1, Ordering::Relaxed);
        switch.strike().await;
        true
    }
}

impl Host {
    /// Kills a process in the middle of an invocation and returns that
    /// invocation's id; `None` if none is under way.
    pub async fn kill(&self) -> Option<String> {
        let (id, switch) = {
            let working = lock(&self.working);
            let busy = |w: &Working| w.invocation.clone().map(|id| (id, w.switch.clone()));
            working.values().find_map(busy)?
        };
        self.kills.fetch_add(1, Ordering::Relaxed);
        switch.strike().await;
        Some(id)
    }

    /// How many processes were killed on purpose.
    pub fn kills(&self) -> u64 {
        self.kills.load(Ordering::Relaxed)
    }

    /// How many processes were started.
    pub fn processes_started(&self) -> u64 {
        self.started.load(Ordering::Relaxed)
    }

    /// What the function printed, oldest first, as far as it is kept.
    pub fn log(&self) -> Vec<String> {
        lock(&self.log).iter().cloned().collect()
    }

    /// Whether the binary is there to be started.
    pub fn binary(&self) -> &std::path::Path {
        &self.binary
    }

    /// Invokes the function once and waits for it. `cause` is what woke it, for the transcript.
    pub async fn invoke(self: &Arc<Self>, platform: &Arc<Platform>, payload: Bytes, cause: &str) -> Invoked {
        let _permit = self.permits.acquire().await;
        let started = platform.moment();
        let id = platform.uuid();
        let answer = match self.process(platform).await {
            Ok(mut process) => {
                self.begin_work(&process, &id);
                let event = Event {
                    request_id: id.clone(),
                    payload,
                    function_arn: self.function.arn.clone(),
                    timeout: self.function.timeout,
                    trace_id: format!("Root=1-{:08x}-{};Sampled=1", started.at.as_second(), &id.replace('-', "")[..24]),
                };
                let answer = process.invoke(event).await;
                self.end_work(process, &answer);
                answer
            }
            Err(error) => Answer::Error(Bytes::from(
                serde_json::json!({
                    "errorType": "Runtime.InvalidEntrypoint",
                    "errorMessage": format!("{} cannot be started: {error}", self.binary.display()),
                })
                .to_string(),
            )),
        };
        self.write_logs_and_traces(platform, &id);
        let (end, payload) = match answer {
            Answer::Response(payload) => (InvocationEnd::Succeeded, payload),
            Answer::Error(document) => (InvocationEnd::Failed(error_text(&document)), document),
            Answer::Exited => (InvocationEnd::Crashed, Bytes::new()),
            Answer::TimedOut => (InvocationEnd::TimedOut, Bytes::new()),
        };
        platform.transcript.record_invocation(Invocation {
            id: id.clone(),
            function: self.function.id.clone(),
            cause: cause.to_owned(),
            started,
            ended: platform.moment(),
            end: end.clone(),
        });
        Invoked { id, end, payload }
    }

    fn begin_work(&self, process: &Process, id: &str) {
        let work = Working { switch: process.kill_switch(), invocation: Some(id.to_owned()) };
        lock(&self.working).insert(process.access_key.clone(), work);
    }

    /// Keeps a process that answered; forgets one that is gone.
    fn end_work(&self, process: Process, answer: &Answer) {
        let lives = matches!(answer, Answer::Response(_) | Answer::Error(_)) && process.is_alive();
        let mut working = lock(&self.working);
        if lives {
            if let Some(work) = working.get_mut(&process.access_key) {
                work.invocation = None;
            }
            lock(&self.idle).push(process);
        } else {
            working.remove(&process.access_key);
        }
    }

    /// An idle process, or a new one.
    async fn process(self: &Arc<Self>, platform: &Arc<Platform>) -> std::io::Result<Process> {
        loop {
            let idle = lock(&self.idle).pop();
            match idle {
                Some(process) if process.is_alive() => return Ok(process),
                Some(process) => {
                    lock(&self.working).remove(&process.access_key);
                }
                None => break,
            }
        }
        let number = self.started.fetch_add(1, Ordering::Relaxed) + 1;
        let access_key = format!("ASIA{}{number:04}", self.function.binary.to_uppercase().replace('-', ""));
        let stream = format!("{}/[$LATEST]{number:032x}", platform.clock.now().strftime("%Y/%m/%d"));
        let group = platform.template.account.arn("logs", &format!("log-group:{}", self.function.log_group));
        let stream_arn = format!("{group}:log-stream:{stream}");
        platform.call_for(&self.function, "CreateLogStream", &Call::new("logs", "CreateLogStream", [stream_arn]), None);
        let launch = Launch {
            binary: &self.binary,
            number,
            environment: self.environment(platform, &access_key, &stream),
            access_key,
        };
        let host = self.clone();
        Process::start(launch, move |line| host.keep_line(line)).await
    }

    fn environment(&self, platform: &Platform, access_key: &str, stream: &str) -> BTreeMap<String, String> {
        let function = &self.function;
        let account = &platform.template.account;
        let mut environment = function.environment.clone();
        let own = [
            ("AWS_LAMBDA_FUNCTION_NAME", function.name.clone()),
            ("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST".to_owned()),
            ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", function.memory_mb.to_string()),
            ("AWS_LAMBDA_LOG_GROUP_NAME", function.log_group.clone()),
            ("AWS_LAMBDA_LOG_STREAM_NAME", stream.to_owned()),
            ("AWS_LAMBDA_LOG_FORMAT", "JSON".to_owned()),
            ("AWS_LAMBDA_INITIALIZATION_TYPE", "on-demand".to_owned()),
            ("AWS_EXECUTION_ENV", "AWS_Lambda_provided.al2023".to_owned()),
            ("_HANDLER", "bootstrap".to_owned()),
            ("TZ", ":UTC".to_owned()),
            ("AWS_REGION", account.region.clone()),
            ("AWS_DEFAULT_REGION", account.region.clone()),
            ("AWS_ACCESS_KEY_ID", access_key.to_owned()),
            ("AWS_SECRET_ACCESS_KEY", "sandbox".to_owned()),
            ("AWS_SESSION_TOKEN", "sandbox".to_owned()),
            ("AWS_ENDPOINT_URL", account.endpoint.clone()),
            ("TIDEGATE_CLOCK", platform.clock.to_string()),
        ];
        environment.extend(own.map(|(name, value)| (name.to_owned(), value)));
        environment
    }

    /// What the platform does after each invocation, under the function's role.
    /// As in AWS, a role without these rights loses logs and traces and nothing else.
    fn write_logs_and_traces(&self, platform: &Platform, id: &str) {
        let group = platform.template.account.arn("logs", &format!("log-group:{}", self.function.log_group));
        let put = Call::new("logs", "PutLogEvents", [format!("{group}:log-stream:sandbox")]);
        platform.call_for(&self.function, "PutLogEvents", &put, Some(id));
        if self.function.traced {
            for operation in ["PutTraceSegments", "PutTelemetryRecords"] {
                platform.call_for(&self.function, operation, &Call::on_anything("xray", operation), Some(id));
            }
        }
    }

    fn keep_line(&self, line: String) {
        let mut log = lock(&self.log);
        if log.len() == LOG_LINES_MAX {
            log.pop_front();
        }
        log.push_back(line);
    }
}

/// The type and message of a function's error document.
fn error_text(document: &[u8]) -> String {
    let value: serde_json::Value = serde_json::from_slice(document).unwrap_or_default();
    let field = |name: &str| value.get(name).and_then(serde_json::Value::as_str).unwrap_or("unknown").to_owned();
    format!("{}: {}", field("errorType"), field("errorMessage"))
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
