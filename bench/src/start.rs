//! From the start of a process to its first answer, and what memory it holds then: the controller, the smallest
//! function with the same clients, and the same two reads in Python, in turns against one sandbox; once in plain HTTP,
//! as the sandbox speaks, and once through TLS, as AWS does.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use sandbox::platform::lambda::process::{Answer, Event, Launch, Process};
use sandbox::platform::transcript::Caller;
use sandbox::{Options, Sandbox};
use serde_json::{Value, json};

use crate::Failure;
use crate::tls::{self, Front};

/// The sandbox's person who may do everything: only the caller's name differs from the controller's own calls.
const ACCESS_KEY: &str = "AKIASANDBOXADMIN";

/// What each of them asks for its first answer, in order.
const ASKED: [&str; 2] = ["dynamodb:BatchGetItem", "dynamodb:Query"];

/// A process that takes longer than this is stuck.
const PATIENCE: Duration = Duration::from_secs(60);

/// One of the programs that are compared.
struct Subject {
    name: &'static str,
    binary: PathBuf,
    shots: Vec<Shot>,
}

/// One start.
struct Shot {
    /// From before the start of the process to its answer.
    first: Duration,
    /// From a second event to its answer.
    second: Duration,
    /// What all its threads spent on a core until the first answer.
    on_core: Duration,
    /// After the first answer, in KB.
    resident: u64,
    /// What of it is no page of a file, in KB: what the process has for itself.
    anonymous: u64,
}

/// The programs to compare.
pub struct Programs<'a> {
    /// The folder with the functions' binaries.
    pub functions: &'a Path,
    /// The smallest function's binary.
    pub smallest: &'a Path,
    /// The Python program.
    pub boto3: &'a Path,
    /// The folder of the certificates for TLS.
    pub certificates: &'a Path,
}

/// Starts each of them `rounds` times, in turns, in plain HTTP and through TLS, and prints medians and ratios.
pub async fn print(options: Options, programs: Programs<'_>, events: &Path, rounds: usize) -> Result<(), Failure> {
    // Nothing but the sweep runs in this sandbox, and that once a minute.
    let sandbox = Sandbox::start(Options { rate: 1, ..options }).await?;
    let batch = foreign_batch(&sandbox, events)?;
    let front = tls::open(&sandbox.platform().template.account.endpoint, programs.certificates).await?;
    println!("{rounds} starts of each, in turns; medians, and in brackets the quickest.");
    for (speech, front) in [("Plain HTTP", None), ("TLS", Some(&front))] {
        let environment = environment(&sandbox, front);
        let subject = |name, binary: &Path| Subject { name, binary: binary.to_owned(), shots: Vec::new() };
        let mut subjects = [
            subject("controller", &programs.functions.join("controller")),
            subject("smallest", programs.smallest),
            subject("boto3", programs.boto3),
        ];
        // The first round fills the page cache and is not counted.
        for round in 0..=rounds {
            for turn in 0..subjects.len() {
                let subject = &mut subjects[(round + turn) % 3];
                let shot = shoot(&sandbox, subject, environment.clone(), &batch).await?;
                if round > 0 {
                    subject.shots.push(shot);
                }
            }
        }
        println!("\n#### {speech}\n");
        report(&subjects);
    }
    sandbox.shutdown().await;
    Ok(())
}

/// A task event and an alarm event of services that nobody rolls out: one read of the table for each kind.
fn foreign_batch(sandbox: &Sandbox, events: &Path) -> Result<String, Failure> {
    let account = &sandbox.platform().template.account;
    let record = |name: &str| -> Result<Value, Failure> {
        let path = events.join(name);
        let text = std::fs::read_to_string(&path).map_err(|error| format!("{}: {error}", path.display()))?;
        let event: Value = serde_json::from_str(&text)?;
        let there = |key: &str| event[key].as_str().unwrap_or_default().to_owned();
        let body = event.to_string().replace(&there("account"), &account.id).replace(&there("region"), &account.region);
        Ok(json!({
            "messageId": name,
            "receiptHandle": name,
            "body": body,
            "attributes": { "ApproximateReceiveCount": "1" },
            "eventSource": "aws:sqs",
        }))
    };
    Ok(json!({ "Records": [record("ecs.task-running.json")?, record("cloudwatch.alarm.json")?] }).to_string())
}

async fn shoot(
    sandbox: &Sandbox,
    subject: &Subject,
    environment: BTreeMap<String, String>,
    batch: &str,
) -> Result<Shot, Failure> {
    let before = sandbox.transcript().entries().len();
    let launch = Launch { binary: &subject.binary, number: 1, access_key: ACCESS_KEY.to_owned(), environment };
    let name = subject.name;
    let started = Instant::now();
    let mut process = Process::start(launch, move |line| {
        if line.contains("ERROR") || line.contains("Traceback") {
            eprintln!("{name}: {line}");
        }
    })
    .await?;
    let answer = process.invoke(event(sandbox, batch)).await;
    let first = started.elapsed();
    let pid = process.pid.ok_or("the process has no id")?;
    let (resident, anonymous, on_core) = (memory(pid, "VmRSS:")?, memory(pid, "RssAnon:")?, on_core(pid)?);
    let asked: Vec<String> = sandbox.transcript().entries()[before..]
        .iter()
        .filter(|entry| matches!(entry.caller, Caller::Person(_)))
        .map(sandbox::platform::transcript::Entry::name)
        .collect();
    if !clean(&answer) || asked != ASKED {
        return Err(format!("{name} asked {asked:?} and answered {answer:?}").into());
    }
    let started = Instant::now();
    let again = process.invoke(event(sandbox, batch)).await;
    let second = started.elapsed();
    if !clean(&again) {
        return Err(format!("{name} answered the second time {again:?}").into());
    }
    process.kill_switch().strike().await;
    Ok(Shot { first, second, on_core, resident, anonymous })
}

fn clean(answer: &Answer) -> bool {
    let Answer::Response(body) = answer else { return false };
    serde_json::from_slice::<Value>(body).is_ok_and(|answer| answer == json!({ "batchItemFailures": [] }))
}

/// What Lambda sets for the controller, and where it finds AWS.
fn environment(sandbox: &Sandbox, front: Option<&Front>) -> BTreeMap<String, String> {
    let platform = sandbox.platform();
    let account = &platform.template.account;
    let function = platform.template.function("controller");
    let mut environment = function.map(|function| function.environment.clone()).unwrap_or_default();
    let own = [
        ("AWS_LAMBDA_FUNCTION_NAME", "controller".to_owned()),
        ("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST".to_owned()),
        ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "1024".to_owned()),
        ("AWS_LAMBDA_LOG_GROUP_NAME", "/aws/lambda/controller".to_owned()),
        ("AWS_LAMBDA_LOG_STREAM_NAME", "bench".to_owned()),
        ("AWS_LAMBDA_INITIALIZATION_TYPE", "on-demand".to_owned()),
        ("TZ", ":UTC".to_owned()),
        ("LANG", "en_US.UTF-8".to_owned()),
        ("AWS_REGION", account.region.clone()),
        ("AWS_DEFAULT_REGION", account.region.clone()),
        ("AWS_ACCESS_KEY_ID", ACCESS_KEY.to_owned()),
        ("AWS_SECRET_ACCESS_KEY", "sandbox".to_owned()),
        ("AWS_SESSION_TOKEN", "sandbox".to_owned()),
        ("AWS_ENDPOINT_URL", front.map_or_else(|| account.endpoint.clone(), |front| front.url.clone())),
        ("TIDEGATE_CLOCK", platform.clock.to_string()),
    ];
    environment.extend(own.map(|(name, value)| (name.to_owned(), value)));
    if let Some(Front { authorities, .. }) = front {
        // By this name the SDK for Rust finds them, by that the one for Python.
        for name in ["SSL_CERT_FILE", "AWS_CA_BUNDLE"] {
            environment.insert(name.to_owned(), authorities.display().to_string());
        }
    }
    environment
}

fn event(sandbox: &Sandbox, batch: &str) -> Event {
    let platform = sandbox.platform();
    let arn = platform.template.function("controller").map(|function| function.arn.clone()).unwrap_or_default();
    Event {
        request_id: platform.uuid(),
        payload: batch.to_owned().into(),
        function_arn: arn,
        timeout: PATIENCE,
        trace_id: "Root=1-00000000-000000000000000000000000;Sampled=0".to_owned(),
    }
}

/// A line of `/proc/PID/status`, in KB.
fn memory(pid: u32, line: &str) -> Result<u64, Failure> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
    let value = status.lines().find_map(|text| text.strip_prefix(line));
    Ok(value.ok_or("no such line")?.trim().trim_end_matches(" kB").parse()?)
}

/// What all threads of a process have spent on a core.
fn on_core(pid: u32) -> Result<Duration, Failure> {
    let mut nanoseconds = 0;
    for thread in std::fs::read_dir(format!("/proc/{pid}/task"))? {
        let spent = std::fs::read_to_string(thread?.path().join("schedstat"))?;
        nanoseconds += spent.split_whitespace().next().unwrap_or_default().parse::<u64>()?;
    }
    Ok(Duration::from_nanos(nanoseconds))
}

fn report(subjects: &[Subject; 3]) {
    println!("| program | first answer, ms | on a core, ms | next answer, ms | resident, MB | of it anonymous, MB |");
    println!("|---|---|---|---|---|---|");
    let ms = |duration: Duration| duration.as_secs_f64() * 1e3;
    for Subject { name, shots, .. } in subjects {
        let of = |read: &dyn Fn(&Shot) -> f64| median(shots.iter().map(read).collect());
        let quickest = shots.iter().map(|shot| ms(shot.first)).fold(f64::INFINITY, f64::min);
        println!(
            "| {name} | {:.1} ({quickest:.1}) | {:.1} | {:.2} | {:.1} | {:.1} |",
            of(&|shot| ms(shot.first)),
            of(&|shot| ms(shot.on_core)),
            of(&|shot| ms(shot.second)),
            of(&|shot| shot.resident as f64 / 1024.0),
            of(&|shot| shot.anonymous as f64 / 1024.0),
        );
    }
    let [controller, smallest, boto3] = subjects;
    let of = |subject: &Subject, read: &dyn Fn(&Shot) -> f64| median(subject.shots.iter().map(read).collect());
    let first = |subject: &Subject| of(subject, &|shot| ms(shot.first));
    let on_core = |subject: &Subject| of(subject, &|shot| ms(shot.on_core));
    let resident = |subject: &Subject| of(subject, &|shot| shot.resident as f64);
    let anonymous = |subject: &Subject| of(subject, &|shot| shot.anonymous as f64);
    println!("\n| goal | first answer | on a core | resident | anonymous |\n|---|---|---|---|---|");
    let row = |goal: &str, a: &Subject, b: &Subject| {
        let ratios =
            [first(a) / first(b), on_core(a) / on_core(b), resident(a) / resident(b), anonymous(a) / anonymous(b)];
        println!("| {goal} | {} |", ratios.map(|ratio| format!("{ratio:.2}")).join(" | "));
    };
    row("at most 1.3 times the smallest", controller, smallest);
    row("boto3: at least 20 times the time, 6 times the memory", boto3, controller);
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}
