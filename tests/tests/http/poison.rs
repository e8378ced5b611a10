//! Messages that nobody can make sense of, and their batch mates.

use serde_json::json;
use tests::stack::Stack;

/// Longer than the 256 KB that SQS takes would not come in at all.
const NESTING: usize = 120_000;

#[test]
fn poison_ends_in_the_dead_letter_queue_strangers_are_counted_and_their_batch_mates_are_processed() {
    let stack = Stack::start();
    let queues = &stack.sandbox.platform().queues;
    let (events, dead) = (stack.queue("EventQueue"), stack.queue("EventDeadLetterQueue"));
    let nested = format!("{}{}", "[".repeat(NESTING), "]".repeat(NESTING));
    let poison = ["not JSON at all", nested.as_str()];
    let mut unknown = stack.task_event("checkout-blue", 1);
    unknown["detail-type"] = json!("ECS Weather Report");
    let mut foreign = stack.task_event("checkout-blue", 2);
    foreign["account"] = json!("999999999999");
    // All of them at once, with mates that are as they should be.
    for number in 0..4 {
        stack.send("EventQueue", &stack.task_event("somebody-else", number).to_string());
    }
    for body in poison.into_iter().chain([unknown.to_string().as_str(), foreign.to_string().as_str()]) {
        stack.send("EventQueue", body);
    }
    for number in 4..8 {
        stack.send("EventQueue", &stack.task_event("somebody-else", number).to_string());
    }
    stack.until("only poison is left", || {
        let left = queues.peek(&events);
        (left.len() == poison.len() && left.iter().all(|m| poison.contains(&m.body.as_str()))).then_some(())
    });
    assert!(queues.peek(&dead).is_empty(), "poison is tried more than once");
    stack.until("poison is put aside", || {
        queues.hurry(&events);
        (queues.peek(&dead).len() == poison.len()).then_some(())
    });
    assert!(queues.peek(&dead).iter().all(|message| poison.contains(&message.body.as_str())));
    assert!(queues.peek(&events).is_empty());
    let log = stack.sandbox.log("controller");
    let counted = |reason: &str| log.iter().any(|line| line.contains("\"Ignored\"") && line.contains(reason));
    for reason in ["foreign-account", "unknown-detail-type"] {
        assert!(counted(reason), "{reason} is counted: {log:#?}");
    }
    stack.end();
}
