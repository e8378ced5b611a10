//! The alarm function: an alarm's event straight from EventBridge; weights home, and nothing else.

use lambda_runtime::{Error, LambdaEvent, service_fn};
use serde_json::value::RawValue;
use tidegate::aws::function::{self, Invocation};
use tidegate::aws::{Absent, Bus, Environment, LoadBalancers, Ports, Queues, Table};
use tidegate::driver::{self, Driver, Reach};
use tidegate::ports::Queue;
use tidegate::telemetry;

/// Of the levers, only the rules.
type World = Ports<Absent, LoadBalancers, Absent, Table, Queues, Bus>;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    telemetry::init();
    let mut environment = Environment::read();
    let (table, bus, clock) = (environment.table(), environment.bus(), environment.clock());
    let commands = environment.command_queue();
    let sdk = environment.sdk();
    environment.complete()?;
    let world = World {
        workload: Absent,
        router: LoadBalancers::new(&sdk),
        metrics: Absent,
        store: Table::new(&sdk, table, clock),
        queues: Queues::new(&sdk).with(Queue::Commands, commands),
        announcer: Bus::new(&sdk, bus),
        clock,
    };
    lambda_runtime::run(service_fn(|event| take(&world, event))).await
}

async fn take(world: &World, event: LambdaEvent<Box<RawValue>>) -> Result<(), Error> {
    let (payload, context) = event.into_parts();
    let Invocation { home, until } = Invocation::of(&context.invoked_function_arn, context.deadline(), world.clock)?;
    let driver = Driver { ports: world, by: "alarm", reach: Reach::WeightsHome, until };
    let ignored = driver::alarm(&driver, &home, payload.get()).await?;
    function::ignored(ignored.as_slice(), world.clock);
    Ok(())
}
