//! The sweep: every minute a tick for each unfinished rollout, so that every event and timer is optional.

use lambda_runtime::{Error, LambdaEvent, service_fn};
use serde_json::value::RawValue;
use tidegate::aws::{Absent, Environment, Ports, Queues, Table};
use tidegate::driver;
use tidegate::ports::Queue;
use tidegate::telemetry;

/// One query in, ticks out.
type World = Ports<Absent, Absent, Absent, Table, Queues, Absent>;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    telemetry::init();
    let mut environment = Environment::read();
    let (table, wakeups, clock) = (environment.table(), environment.wakeup_queue(), environment.clock());
    let sdk = environment.sdk();
    environment.complete()?;
    let world = World {
        workload: Absent,
        router: Absent,
        metrics: Absent,
        store: Table::new(&sdk, table, clock),
        queues: Queues::new(&sdk).with(Queue::WakeUps, wakeups),
        announcer: Absent,
        clock,
    };
    lambda_runtime::run(service_fn(|event: LambdaEvent<Box<RawValue>>| {
        drop(event);
        take(&world)
    }))
    .await
}

async fn take(world: &World) -> Result<(), Error> {
    let ticked = driver::sweep(world).await?;
    tracing::info!(ticked, "Swept");
    Ok(())
}
