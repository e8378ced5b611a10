//! The analysis function: one question to CloudWatch at a time, and no right to anything else.

use lambda_runtime::{Error, LambdaEvent, service_fn};
use serde_json::value::RawValue;
use tidegate::aws::function::{Invocation, batch_answer};
use tidegate::aws::{Absent, Environment, Metrics, Ports, Queues};
use tidegate::driver;
use tidegate::events::sqs::{self, BatchAnswer};
use tidegate::ports::Queue;
use tidegate::telemetry;

/// Numbers in, messages out.
type World = Ports<Absent, Absent, Metrics, Absent, Queues, Absent>;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    telemetry::init();
    let mut environment = Environment::read();
    let (commands, clock) = (environment.command_queue(), environment.clock());
    let sdk = environment.sdk();
    environment.complete()?;
    let world = World {
        workload: Absent,
        router: Absent,
        metrics: Metrics::new(&sdk),
        store: Absent,
        queues: Queues::new(&sdk).with(Queue::Commands, commands),
        announcer: Absent,
        clock,
    };
    lambda_runtime::run(service_fn(|event| take(&world, event))).await
}

async fn take(world: &World, event: LambdaEvent<Box<RawValue>>) -> Result<BatchAnswer, Error> {
    let (payload, context) = event.into_parts();
    let Invocation { home, .. } = Invocation::of(&context.invoked_function_arn, context.deadline(), world.clock)?;
    let batch = driver::measure(world, &home, sqs::batch(payload.get())?).await;
    Ok(batch_answer(batch, world.clock))
}
