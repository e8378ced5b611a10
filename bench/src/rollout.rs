//! What a good rollout asks of AWS: the transcript of a whole one over HTTP, by operation and by function, and what of
//! it is paid for.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use sandbox::functions::PACKAGES;
use sandbox::platform::transcript::{Caller, Entry};
use sandbox::{Options, Sandbox, demo};
use serde_json::{Value, json};
use tidegate::api::{CommandRequest, Order};
use tidegate::rollout::Track;
use tokio::runtime::Runtime;

use crate::Failure;

/// Wall time to look at a stack that nobody uses: at the demo's rate eight minutes.
const IDLE: Duration = Duration::from_secs(20);
/// Wall time after the end, for what is still under way.
const QUIET: Duration = Duration::from_secs(3);
/// Wall time after which the rollout is given up.
const PATIENCE: Duration = Duration::from_secs(300);
/// Between two looks.
const GLANCE: Duration = Duration::from_millis(100);

/// What a stretch of the run was asked, by operation and by function's binary.
type Calls = BTreeMap<String, BTreeMap<String, u64>>;

/// Runs an idle stack, then a good rollout, and prints what each asked.
pub fn print(runtime: &Runtime, options: Options) -> Result<(), Failure> {
    let options = Options { rate: demo::RATE, estates: vec![demo::estate()], ..options };
    let sandbox = runtime.block_on(Sandbox::start(options))?;
    let told = play(&sandbox);
    runtime.block_on(sandbox.shutdown());
    told
}

fn play(sandbox: &Sandbox) -> Result<(), Failure> {
    let began = sandbox.now();
    std::thread::sleep(IDLE);
    let idle = sandbox.transcript().entries();
    let idle_minutes = sandbox.now().duration_since(began).as_secs_f64() / 60.0;

    let began = sandbox.now();
    start(sandbox)?;
    until_promoted(sandbox)?;
    let minutes = sandbox.now().duration_since(began).as_secs_f64() / 60.0;
    std::thread::sleep(QUIET);
    let entries = sandbox.transcript().entries().split_off(idle.len());

    println!(
        "{minutes:.0} virtual minutes at {} times the wall's; {} user errors caused by the controller.\n",
        sandbox.rate(),
        sandbox.world().user_errors().total(),
    );
    let asked = calls(sandbox, &entries);
    table(&asked);
    println!();
    functions(sandbox, &asked, entries.first().map(|entry| entry.started.wall).unwrap_or_default());
    println!();
    paid(sandbox, &entries)?;
    println!("\n#### Idle\n\n{idle_minutes:.1} virtual minutes without a rollout, the users' traffic going on.\n");
    table(&calls(sandbox, &idle));
    Ok(())
}

/// Starts it as a person does, and asks nothing more: every question would be counted.
fn start(sandbox: &Sandbox) -> Result<(), Failure> {
    let revision = demo::register(sandbox, "1.1.0", 0.0)?;
    let order = Order::Start { spec: demo::SPEC.to_owned(), task_definition: Some(revision), track: Track::default() };
    let request = CommandRequest { key: "bench".to_owned(), order };
    let url = sandbox.function_url("command").ok_or("`command` has no URL")?;
    let call = ureq::post(&url).header("authorization", "Sandbox operator").config().proxy(None).build();
    let answer: Value = call.send_json(&request)?.body_mut().read_json()?;
    if answer != json!({ "answer": "accepted" }) {
        return Err(format!("the start is not accepted: {answer}").into());
    }
    Ok(())
}

fn until_promoted(sandbox: &Sandbox) -> Result<(), Failure> {
    let started = Instant::now();
    while started.elapsed() < PATIENCE {
        if let Some(why) = sandbox.overloaded() {
            return Err(why.into());
        }
        match sandbox.chronicle().last() {
            Some(last) if last.phase == "Healthy" => return Ok(()),
            Some(last) if last.phase == "Degraded" => return Err(format!("it went home: {:?}", last.reason).into()),
            Some(_) | None => std::thread::sleep(GLANCE),
        }
    }
    Err(format!("not promoted within {} s; the last is {:?}", PATIENCE.as_secs(), sandbox.chronicle().last()).into())
}

fn binary(sandbox: &Sandbox, id: &str) -> String {
    sandbox.platform().template.function(id).map_or_else(|| id.to_owned(), |function| function.binary.clone())
}

fn calls(sandbox: &Sandbox, entries: &[Entry]) -> Calls {
    let mut calls = Calls::new();
    for entry in entries {
        if let Caller::Function(id) = &entry.caller {
            *calls.entry(entry.name()).or_default().entry(binary(sandbox, id)).or_default() += 1;
        }
    }
    calls
}

fn table(calls: &Calls) {
    println!("| operation | {} | all |", PACKAGES.map(|package| format!("`{package}`")).join(" | "));
    println!("|{}", "---|".repeat(PACKAGES.len() + 2));
    let row = |name: &str, counts: &[u64]| {
        let cells = counts.iter().map(|count| if *count == 0 { "–".to_owned() } else { count.to_string() });
        println!("| {name} | {} | {} |", cells.collect::<Vec<_>>().join(" | "), counts.iter().sum::<u64>());
    };
    let mut sums = vec![0; PACKAGES.len()];
    for (operation, by_function) in calls {
        let counts = PACKAGES.map(|package| by_function.get(package).copied().unwrap_or(0));
        sums.iter_mut().zip(counts).for_each(|(sum, count)| *sum += count);
        row(operation, &counts);
    }
    row("**sum**", &sums);
}

/// Invocations, by what woke them, and how long they took here, where AWS answers within a millisecond.
fn functions(sandbox: &Sandbox, calls: &Calls, since: Duration) {
    let invocations = sandbox.transcript().invocations();
    println!("| function | memory, MB | invocations | calls | on this machine, ms |\n|---|---|---|---|---|");
    for package in PACKAGES {
        let of_it = invocations.iter().filter(|one| one.started.wall >= since);
        let of_it: Vec<_> = of_it.filter(|one| binary(sandbox, &one.function) == package).collect();
        let asked: u64 = calls.values().filter_map(|by_function| by_function.get(package)).sum();
        let took = of_it.iter().map(|one| one.ended.wall.saturating_sub(one.started.wall)).sum::<Duration>();
        let memory = sandbox.platform().template.function(package).map_or(0, |function| function.memory_mb);
        println!("| `{package}` | {memory} | {} | {asked} | {} |", of_it.len(), took.as_millis());
    }
}

/// What costs money beside the functions' time.
fn paid(sandbox: &Sandbox, entries: &[Entry]) -> Result<(), Failure> {
    let items = items(sandbox)?;
    let of = |prefix: &str| items.iter().filter(|item| string(item, "pk").starts_with(prefix)).collect::<Vec<_>>();
    let (journal, records) = (of("AUDIT#"), of("ROLLOUT#"));
    let record = records.iter().map(|item| bytes(item)).max().unwrap_or(0);
    let indexed: usize = records.iter().map(|item| indexed_bytes(item)).max().unwrap_or(0);
    let units = |bytes: usize| bytes.div_ceil(1024);
    let journal_units: usize = journal.iter().map(|item| units(bytes(item))).sum();
    let journal_bytes: usize = journal.iter().map(|item| bytes(item)).sum();
    let by = |wanted: fn(&Caller) -> bool, names: &[&str]| {
        entries.iter().filter(|entry| wanted(&entry.caller) && names.contains(&entry.name().as_str())).count()
    };
    let function = |name: &str| by(|caller| matches!(caller, Caller::Function(_)), &[name]);
    let rules = by(|caller| matches!(caller, Caller::Service(_)), &["sqs:SendMessage"]);
    let deleted = ["sqs:DeleteMessage", "sqs:DeleteMessageBatch"];
    let deleted = by(|caller| matches!(caller, Caller::PlatformFor(_)), &deleted);
    println!("| what | figure |\n|---|---|");
    println!("| commits | {} |", journal.len());
    println!("| journal | {:.1} KB in all, {journal_units} units of 1 KB |", journal_bytes as f64 / 1024.0);
    let record_units = units(record);
    let record = record as f64 / 1024.0;
    println!("| the record at its end | {record:.1} KB, {record_units} units; in the index {indexed} bytes |");
    println!("| messages sent by functions, by rules | {}, {rules} |", function("sqs:SendMessage"));
    println!("| deletions by the mappings | {deleted} |");
    println!("| announcements | {} |", function("events:PutEvents"));
    println!("| questions to CloudWatch | {} |", function("cloudwatch:GetMetricData"));
    for package in PACKAGES {
        let log = sandbox.log(package);
        let size: usize = log.iter().map(String::len).sum();
        println!("| log of `{package}` | {} lines, {:.1} KB |", log.len(), size as f64 / 1024.0);
    }
    Ok(())
}

/// Every item of the table, in DynamoDB's JSON.
fn items(sandbox: &Sandbox) -> Result<Vec<Value>, Failure> {
    let mut items = Vec::new();
    for table in &sandbox.platform().template.tables {
        let mut from = Value::Null;
        loop {
            let mut request = json!({ "TableName": table.name });
            if !from.is_null() {
                request["ExclusiveStartKey"] = from.take();
            }
            let request = serde_json::from_value(request)?;
            let answer = sandbox.tables().database().scan(request).map_err(|error| error.to_string())?;
            let mut answer = serde_json::to_value(answer)?;
            items.extend(answer["Items"].as_array().cloned().unwrap_or_default());
            from = answer["LastEvaluatedKey"].take();
            if from.is_null() {
                break;
            }
        }
    }
    Ok(items)
}

fn string<'a>(item: &'a Value, attribute: &str) -> &'a str {
    item[attribute]["S"].as_str().unwrap_or_default()
}

/// What DynamoDB counts: the names and the values. All values here are texts or numbers; a number of `n` digits takes
/// `n / 2 + 2` bytes at most.
fn bytes(item: &Value) -> usize {
    item.as_object().into_iter().flatten().map(|(name, value)| attribute_bytes(name, value)).sum()
}

fn attribute_bytes(name: &str, value: &Value) -> usize {
    let number = |text: &str| text.len() / 2 + 2;
    let text = value["S"].as_str().map(str::len);
    name.len() + text.or_else(|| value["N"].as_str().map(number)).unwrap_or(0)
}

/// What the index `unfinished` copies.
fn indexed_bytes(item: &Value) -> usize {
    let copied = ["pk", "sk", "unfinished", "started_at", "armed_until", "listed"];
    let attributes = item.as_object().into_iter().flatten().filter(|(name, _)| copied.contains(&name.as_str()));
    attributes.map(|(name, value)| attribute_bytes(name, value)).sum()
}
