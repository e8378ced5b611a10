//! What ECR says of images: recognised, and no reason to begin a rollout yet.

use serde::Deserialize;

use super::envelope::Envelope;
use super::{Arrival, ParseError, Reason};

/// Scans write the repository without, replications with a tag; neither is a push.
#[derive(Deserialize, Default)]
#[serde(default, rename_all = "kebab-case")]
struct Image {
    action_type: Option<String>,
    repository_name: Option<String>,
    image_tag: Option<String>,
}

/// Reads any event of `aws.ecr`.
pub(super) fn ignored(event: &Envelope<'_>) -> Result<Arrival, ParseError> {
    let image: Image = event.detail()?;
    let action = image.action_type.as_deref().unwrap_or("no push");
    let repository = image.repository_name.as_deref().unwrap_or("a repository");
    let tag = image.image_tag.as_deref().map(|tag| format!(":{tag}")).unwrap_or_default();
    let what = format!("{action} of {repository}{tag}; no rollout begins by an image push yet: not implemented");
    Ok(event.ignored(Reason::Image, what))
}
