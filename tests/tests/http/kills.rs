//! SIGKILL at the worst moments: nothing changes in the outcome.

use sandbox::demo::Kill;
use sandbox::functions::PACKAGES;
use sandbox::platform::lambda::Strike;
use sandbox::platform::transcript::{InvocationEnd, Outcome};
use tests::stack::{SHORT, Stack};
use tidegate::api::{Ask, Order};
use tidegate::machine::event::Verb;

/// A measurement in it, so that every function has work.
const MEASURED: &str = "
apiVersion: tidegate.dev/v1alpha1
kind: Rollout
metadata: { name: checkout }
spec:
  workload:
    twinServices: { cluster: production, services: [checkout-blue, checkout-green] }
  alarms: [checkout-5xx-rate, checkout-blue-5xx-rate]
  metrics:
    - name: http-5xx-rate
      provider: { cloudWatch: { errorRate: {} } }
      threshold: { atMost: 0.01 }
      count: 1
      minimumSamples: 20
      noData: inconclusive
  strategy:
    canary:
      steps:
        - setWeight: 20
        - analysis: { metrics: [http-5xx-rate] }
        - setWeight: 100
      scaleDownDelaySeconds: 10
      abortScaleDownDelaySeconds: 10
";

#[test]
fn each_function_is_killed_in_the_middle_of_its_work_and_the_outcome_is_the_same() {
    let stack = Stack::start();
    for function in PACKAGES {
        let kill: Kill = function.parse().unwrap();
        // The alarm function has work only where something is bad.
        let (error_share, expected) =
            if function == "alarm" { (0.3, ("Degraded", "0")) } else { (0.0, ("Healthy", "100")) };
        let rollout = std::thread::scope(|scope| {
            // Command and query are killed while a person waits for them; the others in the rollout's own steps.
            let killed = scope.spawn(|| stack.block_on(kill.strike(&stack.sandbox)));
            let rollout = stack.begin(MEASURED, error_share);
            stack.until("the kill", || {
                stack.ask(&Ask::Get { rollout: rollout.to_string() });
                killed.is_finished().then_some(())
            });
            let (id, during) = killed.join().unwrap();
            stack.until_ended(&rollout);
            let cost = kill.cost(&stack.sandbox, &id, &during);
            eprintln!("{}", cost.map_or_else(|| format!("{function} answered in the same moment"), |c| c.to_string()));
            rollout
        });
        let end = stack.until_ended(&rollout);
        assert_eq!((end.phase, end.weight.as_str()), expected, "{function} killed: {end:?}");
    }
    assert_eq!(stack.sandbox.kills(), 6);
    assert_eq!(stack.sandbox.world().user_errors().total(), 0, "{:?}", stack.sandbox.world().user_errors());
    stack.end();
}

#[test]
fn killed_around_the_write_of_the_weights_and_around_the_commit_it_ends_as_ever() {
    let stack = Stack::start();
    // A lost performer's lease is half a minute of wall time, which here is a third of an hour of the rollout's own.
    let patient = SHORT.replace("  strategy:", "  progressDeadlineSeconds: 7200\n  strategy:");
    for (operation, when) in
        [("elasticloadbalancing:ModifyRule", Strike::Before), ("dynamodb:TransactWriteItems", Strike::After)]
    {
        let rollout = stack.begin(&patient, 0.0);
        assert!(stack.sandbox.kill_at("controller", operation, when));
        let end = stack.until_ended(&rollout);
        assert_eq!((end.phase, end.weight.as_str()), ("Healthy", "100"), "{operation} {when:?}: {end:?}");
    }
    assert_eq!(stack.sandbox.kills(), 2);
    assert_eq!(stack.sandbox.world().user_errors().total(), 0, "{:?}", stack.sandbox.world().user_errors());
    stack.end();
}

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
