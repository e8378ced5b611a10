//! What values a spec may hold, once for the reader and once for the published schema.

use std::ops::RangeInclusive;

use jiff::SignedDuration;

/// Steps of a strategy.
pub const STEPS_MAX: usize = 100;
/// Metrics of a spec: each is a query of CloudWatch's 500, and a tally in the stored record.
pub const METRICS_MAX: usize = 20;
/// Names in one list. Each alarm is an item of the transaction that begins a rollout, which takes 100.
pub const NAMES_MAX: usize = 50;
/// CloudWatch's own limit.
pub const DIMENSIONS_MAX: usize = 30;
/// The longest text of any field: ARNs and metric names are shorter.
pub const TEXT_MAX: usize = 1024;

/// `progressDeadlineSeconds`: a Fargate task alone needs most of a minute.
pub const PROGRESS_DEADLINE: RangeInclusive<u32> = 60..=86_400;
/// As Argo Rollouts.
pub const PROGRESS_DEADLINE_DEFAULT: u32 = 600;
/// `crashLoop.tasks`: each is remembered by its ARN. 0 switches it off.
pub const CRASH_LOOP_TASKS: RangeInclusive<u32> = 0..=10;
/// One is an accident, two are bad luck.
pub const CRASH_LOOP_TASKS_DEFAULT: u32 = 3;
/// `freezeWindows`
pub const FREEZES_MAX: usize = 50;
/// `freezeWindows[].reason`: one line of `get`.
pub const REASON_MAX: usize = 120;
/// `freezeWindows[].offset`
pub const OFFSET_PATTERN: &str = "^[+-]((0[0-9]|1[0-3]):[0-5][0-9]|14:00)$";
/// `freezeWindows[].from` and `to`: a time of the day, or an instant.
pub const TIME_PATTERN: &str =
    r"^(([01][0-9]|2[0-3]):[0-5][0-9]|[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9:.]+(Z|[+-][0-9]{2}(:?[0-9]{2})?))$";
/// `bakeTimeInMinutes`, ECS's own limit.
pub const BAKE_MINUTES: RangeInclusive<u32> = 0..=1440;
/// A metric of one minute needs two to arrive, and an alarm on it one more to fire.
pub const BAKE_MINUTES_DEFAULT: u32 = 5;
/// `scaleDownDelaySeconds`, `abortScaleDownDelaySeconds`.
pub const SCALE_DOWN_SECONDS: RangeInclusive<u32> = 0..=86_400;
/// As Argo Rollouts.
pub const SCALE_DOWN_SECONDS_DEFAULT: u32 = 30;
/// `scaleDownDelaySeconds` of blue/green: as the bake of a canary, and for the same reason.
pub const SWITCHED_SECONDS_DEFAULT: u32 = BAKE_MINUTES_DEFAULT * 60;
/// `autoPromotionSeconds`
pub const AUTO_PROMOTION_SECONDS: RangeInclusive<u32> = 1..=86_400;
/// `preview.port`
pub const PORT: RangeInclusive<u32> = 1..=65_535;
/// `setCanaryScale.replicas`, ECS's limit of tasks per service.
pub const REPLICAS: RangeInclusive<u32> = 1..=5000;
/// `setCanaryScale.weight`
pub const SCALE_PERCENT: RangeInclusive<u32> = 1..=100;
/// `analysis.startingStep`
pub const STARTING_STEP: RangeInclusive<u32> = 0..=99;
/// `pause.duration`
pub const PAUSE: RangeInclusive<SignedDuration> = SignedDuration::from_secs(1)..=SignedDuration::from_hours(30 * 24);
/// `pause.timeout`: shorter, nobody could be in time.
pub const PAUSE_TIMEOUT: RangeInclusive<SignedDuration> =
    SignedDuration::from_mins(1)..=SignedDuration::from_hours(30 * 24);
/// `rollbackWindow.revisions`
pub const WINDOW_REVISIONS: RangeInclusive<u32> = 1..=50;
/// `rollbackWindow.age`
pub const WINDOW_AGE: RangeInclusive<SignedDuration> =
    SignedDuration::from_mins(1)..=SignedDuration::from_hours(30 * 24);
/// `interval`: a CloudWatch window.
pub const INTERVAL: RangeInclusive<SignedDuration> = SignedDuration::from_mins(1)..=SignedDuration::from_hours(1);
/// As the load balancer publishes.
pub const INTERVAL_DEFAULT: SignedDuration = SignedDuration::from_mins(1);
/// `initialDelay`
pub const INITIAL_DELAY: RangeInclusive<SignedDuration> = SignedDuration::ZERO..=SignedDuration::from_hours(24);
/// `count`
pub const COUNT: RangeInclusive<u32> = 1..=1000;
/// As Argo Rollouts, where neither interval nor count is given.
pub const COUNT_DEFAULT: u32 = 1;
/// `failureLimit`, `inconclusiveLimit`, `consecutiveErrorLimit`
pub const LIMIT: RangeInclusive<u32> = 0..=1000;
/// As Argo Rollouts.
pub const FAILURE_LIMIT_DEFAULT: u32 = 0;
/// The first windows after a weight may hold too few requests; three of them are patience enough.
pub const INCONCLUSIVE_LIMIT_DEFAULT: u32 = 3;
/// As Argo Rollouts.
pub const CONSECUTIVE_ERROR_LIMIT_DEFAULT: u32 = 4;
/// `minimumSamples`: with none, absence would pass for a value.
pub const MINIMUM_SAMPLES: RangeInclusive<u32> = 1..=1_000_000_000;

/// Headers of one `setHeaderRoute`, each with one value at least.
pub const HEADERS_MAX: usize = RULE_VALUES_MAX;
/// Comparison strings of one condition of a listener rule: Elastic Load Balancing's own limit.
pub const HEADER_VALUES_MAX: usize = 3;
/// Comparison strings of all conditions of a listener rule: Elastic Load Balancing's own limit.
pub const RULE_VALUES_MAX: usize = 5;
/// Wildcards of all conditions of a listener rule: Elastic Load Balancing's own limit.
pub const RULE_WILDCARDS_MAX: usize = 5;
/// Characters of a comparison string.
pub const HEADER_VALUE_MAX: usize = 128;
/// A header's name.
pub const HEADER_PATTERN: &str = "^[A-Za-z0-9!#$%&'+.^_`|~-]{1,40}$";
/// What a header's value is compared with: ASCII that can be seen, without wildcards and their escape.
pub const HEADER_VALUE_PATTERN: &str = r"^[ -)+->@-\[\]-~]{1,128}$";
/// The same, with room for the wildcard.
pub const HEADER_PREFIX_PATTERN: &str = r"^[ -)+->@-\[\]-~]{1,127}$";

/// Names of rollouts and metrics.
pub const NAME_PATTERN: &str = "^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$";
/// What such a name is.
pub const NAME_HINT: &str = "use 1 to 64 letters, digits, `-` and `_`, the first a letter or a digit";
/// A cluster's name or ARN.
pub const CLUSTER_PATTERN: &str = "^(arn:[a-z0-9-]+:ecs:[a-z0-9-]+:[0-9]{12}:cluster/)?[A-Za-z0-9_-]{1,255}$";
/// A service's name.
pub const SERVICE_PATTERN: &str = "^[A-Za-z0-9_-]{1,255}$";
/// `family:revision`, `family`, or an ARN.
pub const TASK_DEFINITION_PATTERN: &str =
    "^(arn:[a-z0-9-]+:ecs:[a-z0-9-]+:[0-9]{12}:task-definition/)?[A-Za-z0-9_-]{1,255}(:[1-9][0-9]{0,9})?$";
/// What names a task definition.
pub const TASK_DEFINITION_HINT: &str = "write `family:revision`, or the ARN";
/// An alarm's name: anything but an ARN.
pub const ALARM_PATTERN: &str = "^(?!arn:).{1,255}$";
/// `Average` or a percentile.
pub const LATENCY_STATISTIC_PATTERN: &str = r"^(Average|p([0-9]{1,2}(\.[0-9]{1,10})?|100))$";
/// Any statistic.
pub const STATISTIC_PATTERN: &str = r"^(Average|Sum|Minimum|Maximum|SampleCount|p([0-9]{1,2}(\.[0-9]{1,10})?|100))$";
/// Durations as they are written; longer words (`5 minutes`) are understood as well.
pub const DURATION_PATTERN: &str =
    r"^\s*([0-9]+|(([0-9]+(\.[0-9]+)?)\s*(h|hr|hrs|hours?|m|mins?|minutes?|s|secs?|seconds?)[ ,]*)+)\s*$";

/// Whether it is a name for a rollout or a metric.
pub fn is_name(text: &str) -> bool {
    text.len() <= 64 && is_word(text) && text.starts_with(|first: char| first.is_ascii_alphanumeric())
}

/// Whether it is a header's name.
pub fn is_header(text: &str) -> bool {
    let of_a_token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'+.^_`|~-".contains(&byte);
    (1..=40).contains(&text.len()) && text.bytes().all(of_a_token)
}

/// Whether a header's value may be compared with this character.
pub fn is_of_a_header(char: char) -> bool {
    (' '..='~').contains(&char) && !matches!(char, '*' | '?' | '\\')
}

/// Whether it is a cluster's name or ARN.
pub fn is_cluster(text: &str) -> bool {
    is_service(after_arn(text, "cluster/"))
}

/// Whether it is a service's name.
pub fn is_service(text: &str) -> bool {
    text.len() <= 255 && is_word(text)
}

/// Whether it names a task definition.
pub fn is_task_definition(text: &str) -> bool {
    let name = after_arn(text, "task-definition/");
    let (family, revision) = name.split_once(':').map_or((name, "1"), |(family, revision)| (family, revision));
    let digits = revision.len() <= 10 && revision.bytes().all(|byte| byte.is_ascii_digit());
    is_service(family) && digits && !revision.is_empty() && !revision.starts_with('0')
}

/// Whether it can be an alarm's name.
pub fn is_alarm(text: &str) -> bool {
    (1..=255).contains(&text.chars().count()) && !text.starts_with("arn:") && !text.contains('\n')
}

/// Whether it is `Average` or a percentile.
pub fn is_latency_statistic(text: &str) -> bool {
    text == "Average" || text.strip_prefix('p').is_some_and(is_percentile)
}

/// Whether it is a statistic.
pub fn is_statistic(text: &str) -> bool {
    matches!(text, "Sum" | "Minimum" | "Maximum" | "SampleCount") || is_latency_statistic(text)
}

fn is_percentile(text: &str) -> bool {
    let (whole, fraction) = text.split_once('.').map_or((text, "0"), |(whole, fraction)| (whole, fraction));
    let digits = |text: &str, most| (1..=most).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
    text == "100" || (digits(whole, 2) && digits(fraction, 10))
}

fn is_word(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
}

/// Returns what follows `arn:partition:ecs:region:account:kind`, or the whole text.
fn after_arn<'a>(text: &'a str, kind: &str) -> &'a str {
    let code = |part: &str| {
        !part.is_empty() && part.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
    };
    let parts: Vec<&str> = text.splitn(6, ':').collect();
    match parts[..] {
        ["arn", partition, "ecs", region, account, rest]
            if code(partition)
                && code(region)
                && account.len() == 12
                && account.bytes().all(|byte| byte.is_ascii_digit()) =>
        {
            rest.strip_prefix(kind).unwrap_or(text)
        }
        _ => text,
    }
}
