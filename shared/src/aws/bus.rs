//! EventBridge: every transition on our own bus.

use aws_config::SdkConfig;
use aws_sdk_eventbridge::Client;
use aws_sdk_eventbridge::primitives::DateTime;
use aws_sdk_eventbridge::types::PutEventsRequestEntry;

use crate::aws::classify::fault;
use crate::fault::{Fault, Obstacle};
use crate::machine::effect::Announcement;
use crate::ports::Announcer;

/// What our events say they come from; the role allows no other.
const SOURCE: &str = "tidegate";

/// PutEvents takes so many.
const ENTRIES_PER_CALL: usize = 10;

/// The client of EventBridge, and the bus.
#[derive(Debug, Clone)]
pub struct Bus {
    client: Client,
    name: String,
}

impl Bus {
    /// Makes the client for the bus of that name.
    pub fn new(sdk: &SdkConfig, name: String) -> Self {
        Self { client: Client::new(sdk), name }
    }

    fn entry(&self, announcement: &Announcement) -> Result<PutEventsRequestEntry, Fault> {
        let detail = serde_json::to_string(announcement)
            .map_err(|why| Fault::permanent(Obstacle::Invalid, format!("an announcement does not serialize: {why}")))?;
        Ok(PutEventsRequestEntry::builder()
            .event_bus_name(&self.name)
            .source(SOURCE)
            // The name of the transition, as it is in the detail.
            .detail_type(format!("{:?}", announcement.what))
            .time(DateTime::from_millis(announcement.at.as_millisecond()))
            .detail(detail)
            .build())
    }
}

impl Announcer for Bus {
    async fn announce(&self, announcements: &[Announcement]) -> Result<(), Fault> {
        for some in announcements.chunks(ENTRIES_PER_CALL) {
            let entries = some.iter().map(|announcement| self.entry(announcement)).collect::<Result<_, _>>()?;
            let answer = self.client.put_events().set_entries(Some(entries)).send().await.map_err(fault)?;
            let refused = answer.entries().iter().find_map(|entry| Some((entry.error_code()?, entry.error_message())));
            if let Some((code, why)) = refused {
                return Err(Fault::transient(format!(
                    "{} of {} events were not put: {code}: {}",
                    answer.failed_entry_count(),
                    some.len(),
                    why.unwrap_or("no message")
                )));
            }
        }
        Ok(())
    }
}
