//! The controller: batches from the queues of commands, wake-ups and events; every effect but Measure.

use lambda_runtime::{Error, LambdaEvent, service_fn};
use serde_json::value::RawValue;
use tidegate::aws::function::{Invocation, batch_answer};
use tidegate::aws::{Bus, Environment, LoadBalancers, Metrics, Ports, Queues, Services, Table};
use tidegate::driver::{self, Driver, Reach};
use tidegate::events::sqs::{self, BatchAnswer};
use tidegate::ports::Queue;
use tidegate::telemetry;

/// Everything.
type World = Ports<Services, LoadBalancers, Metrics, Table, Queues, Bus>;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    telemetry::init();
    let mut environment = Environment::read();
    let (table, bus, clock) = (environment.table(), environment.bus(), environment.clock());
    let (commands, wakeups) = (environment.command_queue(), environment.wakeup_queue());
    let analysis = environment.analysis_queue();
    let sdk = environment.sdk();
    environment.complete()?;
    let queues =
        Queues::new(&sdk).with(Queue::Commands, commands).with(Queue::WakeUps, wakeups).with(Queue::Analysis, analysis);
    let world = World {
        workload: Services::new(&sdk),
        router: LoadBalancers::new(&sdk),
        metrics: Metrics::new(&sdk),
        store: Table::new(&sdk, table, clock),
        queues,
        announcer: Bus::new(&sdk, bus),
        clock,
    };
    lambda_runtime::run(service_fn(|event| take(&world, event))).await
}

async fn take(world: &World, event: LambdaEvent<Box<RawValue>>) -> Result<BatchAnswer, Error> {
    let (payload, context) = event.into_parts();
    let Invocation { home, until } = Invocation::of(&context.invoked_function_arn, context.deadline(), world.clock)?;
    let driver = Driver { ports: world, by: "controller", reach: Reach::Everything, until };
    let batch = driver::batch(&driver, &home, sqs::batch(payload.get())?).await;
    Ok(batch_answer(batch, world.clock))
}
