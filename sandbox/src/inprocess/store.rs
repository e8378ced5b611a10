//! The durable memory, in memory: the same transactions as the table's, all or nothing, on serialized records.

use std::collections::BTreeMap;

use tidegate::api::{Answer, Listed};
use tidegate::audit::AuditEntry;
use tidegate::ids::{AlarmArn, RolloutId, ServiceArn};
use tidegate::mistake::{Mistake, made};
use tidegate::ports::{Commit, CommitRefused, Stored, Unfinished};
use tidegate::rollout::{Promotion, Rollout};

/// How truly the memory is a table.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Keeping {
    /// Records as JSON, a journal with its hash chain: every test is a test of what is stored.
    #[default]
    AsTable,
    /// Records as they are, and no journal: for ten thousand rollouts, after others were kept as a table.
    AsIs,
}

/// What a table would hold.
#[derive(Debug, Default)]
pub struct Memory {
    pub keeping: Keeping,
    rollouts: BTreeMap<RolloutId, Item>,
    journal: BTreeMap<RolloutId, Vec<AuditEntry>>,
    services: BTreeMap<ServiceArn, ServiceItem>,
    answers: BTreeMap<String, Answer>,
}

#[derive(Debug)]
struct Item {
    state: State,
    version: u64,
    head: String,
}

#[derive(Debug)]
enum State {
    Json(String),
    Record(Box<Rollout>),
}

impl State {
    fn read(&self) -> Rollout {
        match self {
            Self::Json(text) => serde_json::from_str(text).expect("what was stored is read back"),
            Self::Record(rollout) => (**rollout).clone(),
        }
    }
}

#[derive(Debug, Default)]
struct ServiceItem {
    active: Option<RolloutId>,
    head: String,
}

impl Memory {
    /// Loads a rollout.
    pub fn load(&self, id: &RolloutId) -> Option<Stored> {
        self.rollouts.get(id).map(|item| Stored {
            rollout: item.state.read(),
            version: item.version,
            head: item.head.clone(),
        })
    }

    /// Finds the active rollouts of services.
    pub fn by_services(&self, services: &[&ServiceArn]) -> BTreeMap<ServiceArn, RolloutId> {
        let active = |service: &&&ServiceArn| {
            let id = self.services.get(**service)?.active.clone()?;
            Some(((**service).clone(), id))
        };
        services.iter().filter_map(|service| active(&service)).collect()
    }

    /// Finds the unfinished rollouts that watch an alarm.
    pub fn by_alarm(&self, alarm: &AlarmArn) -> Vec<RolloutId> {
        let watching = |rollout: &Rollout| rollout.baseline.alarms.values().any(|watched| watched == alarm);
        self.all().filter(|rollout| !rollout.is_finished() && watching(rollout)).map(|rollout| rollout.id).collect()
    }

    /// Finds the last promotions of a service, newest first.
    pub fn promotions(&self, service: &ServiceArn, limit: u32) -> Vec<Promotion> {
        let mut promotions: Vec<Promotion> = self
            .all()
            .filter(|rollout| rollout.services().contains(&service))
            .filter_map(|rollout| rollout.promotion())
            .collect();
        promotions.sort_by_key(|promotion| std::cmp::Reverse(promotion.at));
        promotions.truncate(limit as usize);
        promotions
    }

    /// Finds every unfinished rollout.
    pub fn unfinished(&self) -> Vec<Unfinished> {
        let unfinished = self.all().filter(|rollout| !rollout.is_settled());
        unfinished.map(|rollout| Unfinished { rollout: rollout.id, armed_until: rollout.timer.armed_until }).collect()
    }

    /// Stores a new rollout, its first entry, and its hold on both services.
    pub fn begin(&mut self, commit: &Commit<'_>) -> Result<(), CommitRefused> {
        self.unless_repeated(commit)?;
        let rollout = commit.rollout;
        for service in rollout.services() {
            if let Some(active) = self.services.get(service).and_then(|item| item.active.clone()) {
                return Err(CommitRefused::Busy { service: service.clone(), active });
            }
        }
        let [stable, _] = rollout.services();
        let previous = self.services.get(stable).map(|item| item.head.clone()).unwrap_or_default();
        let entry = AuditEntry { previous, ..commit.entry.clone() };
        for service in rollout.services() {
            self.services.entry(service.clone()).or_default().active = Some(rollout.id.clone());
        }
        self.write(commit, &entry);
        Ok(())
    }

    /// Stores the next version, if the one before it stands.
    pub fn commit(&mut self, commit: &Commit<'_>) -> Result<String, CommitRefused> {
        self.unless_repeated(commit)?;
        let stands = self.rollouts.get(&commit.rollout.id);
        let next =
            stands.is_some_and(|item| item.version + 1 == commit.entry.sequence && item.head == commit.entry.previous);
        if !next && !made(Mistake::CommitUnconditional) {
            return Err(CommitRefused::Stale);
        }
        if commit.ends {
            for service in commit.rollout.services() {
                self.services.entry(service.clone()).or_default().active = None;
            }
        }
        Ok(self.write(commit, commit.entry))
    }

    /// Records the answer to a command that changed no rollout; keeps one that is there.
    pub fn record(&mut self, key: &str, answer: &Answer) {
        self.answers.entry(key.to_owned()).or_insert_with(|| answer.clone());
    }

    /// Reads the answer to a command.
    pub fn answer(&self, key: &str) -> Option<Answer> {
        self.answers.get(key).cloned()
    }

    /// Reads a rollout's journal.
    pub fn journal(&self, id: &RolloutId, from: u64, limit: u32) -> Vec<AuditEntry> {
        let entries = self.journal.get(id).map(Vec::as_slice).unwrap_or_default();
        entries.iter().filter(|entry| entry.sequence >= from).take(limit as usize).cloned().collect()
    }

    /// Lists rollouts, newest first.
    pub fn list(&self, finished: bool, limit: u32) -> Vec<Listed> {
        let mut wanted: Vec<Rollout> = self.all().filter(|rollout| rollout.is_settled() == finished).collect();
        wanted.sort_by_key(|rollout| std::cmp::Reverse(rollout.started_at));
        wanted.iter().take(limit as usize).map(Rollout::listed).collect()
    }

    fn all(&self) -> impl Iterator<Item = Rollout> + '_ {
        self.rollouts.values().map(|item| item.state.read())
    }

    fn unless_repeated(&self, commit: &Commit<'_>) -> Result<(), CommitRefused> {
        match commit.inbox {
            Some((key, _)) if self.answers.contains_key(key) => Err(CommitRefused::Repeated),
            Some(_) | None => Ok(()),
        }
    }

    fn write(&mut self, commit: &Commit<'_>, entry: &AuditEntry) -> String {
        let rollout = commit.rollout;
        let (state, head) = match self.keeping {
            Keeping::AsTable => {
                let text = serde_json::to_string(rollout).expect("a rollout serializes");
                self.journal.entry(rollout.id.clone()).or_default().push(entry.clone());
                (State::Json(text), entry.hash())
            }
            // No two versions of one rollout have the same head, which is all that a commit's condition needs.
            Keeping::AsIs => (State::Record(Box::new(rollout.clone())), format!("{}", entry.sequence)),
        };
        // After its end the services are another one's.
        if commit.ends || !rollout.is_finished() {
            for service in rollout.services() {
                self.services.entry(service.clone()).or_default().head.clone_from(&head);
            }
        }
        self.rollouts.insert(rollout.id.clone(), Item { state, version: entry.sequence, head: head.clone() });
        if let Some((key, answer)) = commit.inbox {
            self.answers.insert(key.to_owned(), answer.clone());
        }
        head
    }
}
