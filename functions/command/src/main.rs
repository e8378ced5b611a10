//! The command function: the operator's mutating verbs, by its Function URL; of effects, weights home alone.

use lambda_runtime::{Error, LambdaEvent, service_fn};
use serde_json::value::RawValue;
use tidegate::aws::function::{Invocation, Reply};
use tidegate::aws::{Absent, Bus, Environment, LoadBalancers, Ports, Queues, Table};
use tidegate::driver::{self, Driver, Reach};
use tidegate::events::url;
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

async fn take(world: &World, event: LambdaEvent<Box<RawValue>>) -> Result<Reply, Error> {
    let (payload, context) = event.into_parts();
    let Invocation { until, .. } = Invocation::of(&context.invoked_function_arn, context.deadline(), world.clock)?;
    let call = match url::call(payload.get()) {
        Ok(call) => call,
        Err(error) => return Ok(Reply::unsigned(&error)),
    };
    let request = match call.command() {
        Ok(request) => request,
        Err(error) => return Ok(Reply::no_command(&error)),
    };
    let driver = Driver { ports: world, by: "command", reach: Reach::WeightsHome, until };
    Ok(Reply::to_command(driver::command(&driver, &request, &call.caller).await))
}
