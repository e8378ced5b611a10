//! SIGKILL at the worst moments: nothing changes in the outcome.

use sandbox::platform::transcript::{InvocationEnd, Outcome};
use tests::stack::{SHORT, Stack};
use tidegate::api::Order;
use tidegate::machine::event::Verb;

#[test]
fn killed_between_the_way_home_and_its_commit_it_still_ends_home() {
    let stack = Stack::start();
    let rollout = stack.begin(SHORT, 0.0);
    stack.until_weight(&rollout, "20");
    // The write goes out with the commit: the commit waits until both rules are home, and then its process dies.
    let home = ["elasticloadbalancing:ModifyRule", "elasticloadbalancing:ModifyListener"];
    assert!(stack.sandbox.kill_once_done("command", "dynamodb:TransactWriteItems", &home));
    let order = Order::Verb { rollout: rollout.clone(), verb: Verb::Abort, expected_step: None };
    stack.order(order);
    let end = stack.until_ended(&rollout);
    assert_eq!((end.phase, end.weight.as_str()), ("Degraded", "0"), "{end:?}");
    assert_eq!(stack.sandbox.kills(), 1);
    let invocations = stack.sandbox.transcript().invocations();
    let crashed = invocations.iter().find(|i| i.end == InvocationEnd::Crashed).expect("one invocation was killed");
    let done = stack.sandbox.transcript().of_invocation(&crashed.id);
    let ok = |name: &str| done.iter().any(|entry| entry.name() == name && entry.outcome == Outcome::Ok);
    assert!(home.iter().all(|write| ok(write)), "the rules were written: {done:#?}");
    assert!(!ok("dynamodb:TransactWriteItems"), "and nothing was committed: {done:#?}");
    assert_eq!(stack.sandbox.world().user_errors().total(), 0, "{:?}", stack.sandbox.world().user_errors());
    stack.end();
}
