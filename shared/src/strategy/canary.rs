//! The canary compiler: each weight gets the tasks it needs before it is set; 100 % is added where it is missing.

use super::Shortfall;
use crate::plan::{Plan, Step};
use crate::spec::{BackgroundAnalysis, CanaryScale, CanarySpec, CanaryStep};
use crate::weight::Weight;

/// Returns the steps of a canary beside a stable side of `stable_tasks` tasks.
pub fn compile(canary: &CanarySpec, stable_tasks: u32) -> Plan {
    let mut compiler = Compiler::new(canary, stable_tasks);
    for (index, step) in canary.steps.iter().enumerate() {
        compiler.watch_from(index, canary.analysis.as_ref());
        match step {
            CanaryStep::SetWeight(weight) => compiler.set_weight(*weight),
            CanaryStep::SetCanaryScale(scale) => compiler.set_scale(*scale),
            CanaryStep::Pause { duration, limit } => {
                compiler.steps.push(Step::Pause { duration: *duration, limit: *limit });
            }
            CanaryStep::SetHeaderRoute(route) => compiler.set_header_route(&route.name),
            CanaryStep::Analysis { metrics } => compiler.steps.push(Step::Analysis { metrics: metrics.clone() }),
        }
    }
    if compiler.weight != Weight::FULL {
        compiler.set_weight(Weight::FULL);
    }
    compiler.watch_from(canary.steps.len(), canary.analysis.as_ref());
    let mut steps = compiler.steps;
    steps.push(Step::Bake { duration: canary.bake });
    steps.push(Step::Promote);
    steps.push(Step::CleanUp { delay: canary.scale_down_delay });
    Plan { steps }
}

/// Returns each weight below 100 % that would fall on fewer tasks than its share of the stable side's.
pub fn shortfalls(canary: &CanarySpec, stable_tasks: u32) -> Vec<Shortfall> {
    let mut scale = CanaryScale::MatchTrafficWeight;
    let mut shortfalls = Vec::new();
    for step in &canary.steps {
        match step {
            CanaryStep::SetCanaryScale(wanted) => scale = *wanted,
            CanaryStep::SetWeight(weight) => {
                let (has, needs) = (tasks(scale, *weight, stable_tasks), weight.of_tasks(stable_tasks));
                if has < needs {
                    shortfalls.push(Shortfall { weight: *weight, has, needs });
                }
            }
            CanaryStep::Pause { .. } | CanaryStep::SetHeaderRoute(_) | CanaryStep::Analysis { .. } => {}
        }
    }
    shortfalls
}

/// What has been compiled so far, and where the canary stands after it.
struct Compiler {
    stable_tasks: u32,
    scale: CanaryScale,
    weight: Weight,
    tasks: u32,
    watching: bool,
    routed: bool,
    steps: Vec<Step>,
}

impl Compiler {
    /// The new revision is deployed before anything else, with the tasks that the first scale or weight asks for.
    fn new(canary: &CanarySpec, stable_tasks: u32) -> Self {
        let first = canary.steps.iter().find_map(|step| match step {
            CanaryStep::SetWeight(weight) => Some(tasks(CanaryScale::MatchTrafficWeight, *weight, stable_tasks)),
            CanaryStep::SetCanaryScale(scale) => Some(tasks(*scale, Weight::ZERO, stable_tasks)),
            CanaryStep::Pause { .. } | CanaryStep::SetHeaderRoute(_) | CanaryStep::Analysis { .. } => None,
        });
        let first = first.unwrap_or_else(|| tasks(CanaryScale::MatchTrafficWeight, Weight::FULL, stable_tasks));
        Self {
            stable_tasks,
            scale: CanaryScale::MatchTrafficWeight,
            weight: Weight::ZERO,
            tasks: first,
            watching: false,
            routed: false,
            steps: vec![Step::Deploy { tasks: first }],
        }
    }

    /// Begins the analysis beside the steps at its starting step, or later, with the first traffic.
    fn watch_from(&mut self, index: usize, analysis: Option<&BackgroundAnalysis>) {
        let Some(analysis) = analysis.filter(|_| !self.watching && !self.weight.is_zero()) else { return };
        if usize::try_from(analysis.starting_step).is_ok_and(|first| index >= first) {
            self.watching = true;
            self.steps.push(Step::Watch { metrics: analysis.metrics.clone() });
        }
    }

    fn set_scale(&mut self, scale: CanaryScale) {
        self.scale = scale;
        self.grow();
    }

    fn set_weight(&mut self, weight: Weight) {
        self.weight = weight;
        self.grow();
        let required = match self.scale {
            CanaryScale::MatchTrafficWeight => self.stable_tasks,
            CanaryScale::Replicas(_) | CanaryScale::Percent(_) if weight == Weight::FULL => self.stable_tasks,
            CanaryScale::Replicas(_) | CanaryScale::Percent(_) => tasks(self.scale, weight, self.stable_tasks),
        };
        self.steps.push(Step::SetWeight { canary: weight, needs: weight.of_tasks(required).max(1) });
        if weight == Weight::FULL && self.routed {
            self.steps.push(Step::RemoveRoutes);
        }
    }

    /// How many requests carry the header nobody knows: all tasks that the canary has are needed.
    fn set_header_route(&mut self, name: &str) {
        self.routed = true;
        self.steps.push(Step::HeaderRoute { name: name.to_owned(), needs: self.tasks });
    }

    /// Capacity only grows on the way up: taking it away under traffic is never part of a plan.
    fn grow(&mut self) {
        let tasks = tasks(self.scale, self.weight, self.stable_tasks);
        if tasks > self.tasks {
            self.tasks = tasks;
            self.steps.push(Step::Scale { tasks });
        }
    }
}

/// Returns the canary's tasks at a weight: at 100 % always the stable side's full count, and never none.
fn tasks(scale: CanaryScale, weight: Weight, stable_tasks: u32) -> u32 {
    let share = |per_mille: u64| (u64::from(stable_tasks) * per_mille).div_ceil(1000);
    let wanted = match scale {
        CanaryScale::Replicas(tasks) => u64::from(tasks),
        CanaryScale::Percent(percent) => share(u64::from(percent) * 10),
        CanaryScale::MatchTrafficWeight => u64::from(weight.of_tasks(stable_tasks)),
    };
    let floor = if weight == Weight::FULL { stable_tasks.max(1) } else { 1 };
    u32::try_from(wanted).unwrap_or(u32::MAX).max(floor)
}
