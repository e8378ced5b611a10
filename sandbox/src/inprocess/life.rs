//! The life of the controller's process, in calls of the ports: a test ends it at any of them.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use tidegate::fault::Fault;

/// Endless, unless a test says otherwise.
#[derive(Debug, Default)]
pub struct Life {
    calls: AtomicU32,
    /// The number of the last call; 0 stands for none.
    last: AtomicU32,
    /// Whether another process acts, whose calls do not count.
    aside: AtomicBool,
}

impl Life {
    /// Ends it right after so many more calls.
    pub fn ends_after(&self, calls: u32) {
        self.last.store(self.calls() + calls.max(1), Ordering::Relaxed);
    }

    /// Returns how many calls there were.
    pub fn calls(&self) -> u32 {
        self.calls.load(Ordering::Relaxed)
    }

    /// Whether the process is dead.
    pub fn is_over(&self) -> bool {
        let last = self.last.load(Ordering::Relaxed);
        last > 0 && self.calls() >= last
    }

    /// Another process takes its place, if it is dead.
    pub fn begins_anew(&self) {
        if self.is_over() {
            self.last.store(0, Ordering::Relaxed);
        }
    }

    /// Lets another process act: an operator's, whose life is its own.
    pub fn aside<T>(&self, act: impl FnOnce() -> T) -> T {
        self.aside.store(true, Ordering::Relaxed);
        let done = act();
        self.aside.store(false, Ordering::Relaxed);
        done
    }

    /// Makes one call: nothing of it happens once the process is dead, and if it dies of it, no answer comes back.
    pub fn call<T>(&self, carry_out: impl FnOnce() -> T) -> Result<T, Fault> {
        if self.aside.load(Ordering::Relaxed) {
            return Ok(carry_out());
        }
        if self.is_over() {
            return Err(Fault::transient("the process is dead"));
        }
        self.calls.fetch_add(1, Ordering::Relaxed);
        let answer = carry_out();
        if self.is_over() { Err(Fault::transient("the process died of this call")) } else { Ok(answer) }
    }
}
