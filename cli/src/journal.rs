//! Reads a journal to its end, page by page.

use tidegate::api::{Ask, Told};
use tidegate::audit::AuditEntry;
use tidegate::ids::RolloutId;

use crate::failure::Failure;
use crate::link::Link;
use crate::names;

/// Returns the entries from sequence `from` on; an empty page is the end.
pub fn read(link: &mut Link, id: &RolloutId, mut from: u64) -> Result<Vec<AuditEntry>, Failure> {
    let mut journal: Vec<AuditEntry> = Vec::new();
    loop {
        let page = match link.ask(&Ask::History { rollout: id.clone(), from })? {
            Told::Journal { entries } => entries,
            other => return Err(names::unexpected("a journal", &format!("cannot read the journal of `{id}`"), other)),
        };
        let Some(last) = page.last().map(|entry| entry.sequence) else { return Ok(journal) };
        if last < from {
            return Err(Failure::misunderstood(&format!("entries from {from} on"), &format!("entries up to {last}")));
        }
        from = last + 1;
        journal.extend(page);
    }
}
