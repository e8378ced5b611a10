//! The World along the virtual clock: it advances as time passes, and what it emits goes to the bus.

use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use super::clock::VirtualClock;
use super::template::DEFAULT_BUS;
use super::{Platform, bus};
use crate::world::World;

/// Wall time between two looks at the clock: at a rate of 60 a third of a virtual second.
const TICK: Duration = Duration::from_millis(5);

/// Wall time by which the World may lag behind its clock. More, and what the
/// functions see is no longer what the clock says.
const LAG_MAX: Duration = Duration::from_secs(2);

/// The World, and who keeps it in time.
pub struct Drive {
    world: Mutex<World>,
    clock: VirtualClock,
    overloaded: OnceLock<String>,
}

impl Drive {
    pub fn new(world: World, clock: VirtualClock) -> Self {
        Self { world: Mutex::new(world), clock, overloaded: OnceLock::new() }
    }

    /// The World at this moment. What it emits meanwhile leaves it at the next tick.
    pub fn world(&self) -> MutexGuard<'_, World> {
        let mut world = self.lock();
        world.advance_to(self.clock.now());
        world
    }

    /// Does something to the World at this moment, and hands on what it emits.
    pub fn with<T>(&self, platform: &Arc<Platform>, act: impl FnOnce(&mut World) -> T) -> T {
        let (done, events) = {
            let mut world = self.world();
            let done = act(&mut world);
            (done, world.take_events())
        };
        for event in &events {
            bus::put(platform, DEFAULT_BUS, &event.json);
        }
        done
    }

    /// Why the run is not to be trusted, if it is not.
    pub fn overloaded(&self) -> Option<&str> {
        self.overloaded.get().map(String::as_str)
    }

    /// Keeps the World in time until the task is dropped, or until it cannot.
    pub async fn run(self: Arc<Self>, platform: Arc<Platform>) {
        let mut ticks = tokio::time::interval(TICK);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Skip);
        loop {
            ticks.tick().await;
            let before = Instant::now();
            self.with(&platform, |_| ());
            let lag = before.elapsed();
            if lag > LAG_MAX {
                let why = format!(
                    "overloaded: the World took {:.1} s of wall time to catch up, at {} times the speed of time; \
                     run with a lower rate, or with less traffic",
                    lag.as_secs_f64(),
                    self.clock.rate()
                );
                tracing::error!("{why}");
                // Set once: the first reason is the one that counts.
                let _ = self.overloaded.set(why);
                return;
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, World> {
        self.world.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
