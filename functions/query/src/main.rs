//! The query function: the operator's reads, by its Function URL, under a role that can change nothing.

use lambda_runtime::{Error, LambdaEvent, service_fn};
use serde_json::value::RawValue;
use tidegate::aws::function::Reply;
use tidegate::aws::{Absent, Environment, LoadBalancers, Metrics, Ports, Services, Table};
use tidegate::driver;
use tidegate::events::url;
use tidegate::telemetry;

/// Everything that is read; nobody is woken or told.
type World = Ports<Services, LoadBalancers, Metrics, Table, Absent, Absent>;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    telemetry::init();
    let mut environment = Environment::read();
    let (table, clock) = (environment.table(), environment.clock());
    let sdk = environment.sdk();
    environment.complete()?;
    let world = World {
        workload: Services::new(&sdk),
        router: LoadBalancers::new(&sdk),
        metrics: Metrics::new(&sdk),
        store: Table::new(&sdk, table, clock),
        queues: Absent,
        announcer: Absent,
        clock,
    };
    lambda_runtime::run(service_fn(|event| take(&world, event))).await
}

async fn take(world: &World, event: LambdaEvent<Box<RawValue>>) -> Result<Reply, Error> {
    let call = match url::call(event.payload.get()) {
        Ok(call) => call,
        Err(error) => return Ok(Reply::unsigned(&error)),
    };
    match call.ask() {
        Ok(ask) => Ok(Reply::to_question(driver::ask(world, &ask).await)),
        Err(error) => Ok(Reply::no_question(&error)),
    }
}
