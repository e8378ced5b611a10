//! Names and numbers that AWS gives: ARNs, deployment ids, ENIs, event ids, all drawn from the World's generator.

use super::rng::Rng;

/// Who the modelled account is; every ARN is made from it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// Twelve digits; a string because it may start with 0.
    pub id: String,
    pub region: String,
    /// Zones of the account's subnets; the load balancer has one node in each.
    pub zones: Vec<String>,
}

impl Default for Account {
    fn default() -> Account {
        Account {
            id: "012345678901".to_owned(),
            region: "eu-central-1".to_owned(),
            zones: vec!["eu-central-1a".to_owned(), "eu-central-1b".to_owned()],
        }
    }
}

impl Account {
    pub fn arn(&self, service: &str, resource: &str) -> String {
        format!("arn:aws:{service}:{}:{}:{resource}", self.region, self.id)
    }

    pub fn cluster(&self, name: &str) -> String {
        self.arn("ecs", &format!("cluster/{name}"))
    }

    pub fn service(&self, cluster: &str, name: &str) -> String {
        self.arn("ecs", &format!("service/{cluster}/{name}"))
    }

    pub fn task(&self, cluster: &str, id: &str) -> String {
        self.arn("ecs", &format!("task/{cluster}/{id}"))
    }

    pub fn task_definition(&self, family: &str, revision: u32) -> String {
        self.arn("ecs", &format!("task-definition/{family}:{revision}"))
    }

    pub fn elb(&self, resource: &str) -> String {
        self.arn("elasticloadbalancing", resource)
    }

    pub fn alarm(&self, name: &str) -> String {
        self.arn("cloudwatch", &format!("alarm:{name}"))
    }
}

/// Returns the part of an ARN (or of a bare name) after its last `/`.
pub fn last_part(arn_or_name: &str) -> &str {
    arn_or_name.rsplit('/').next().unwrap_or(arn_or_name)
}

/// Returns what CloudWatch calls the load balancer or target group: the tail of its ARN.
pub fn metric_dimension(arn: &str) -> &str {
    let resource = arn.rsplit(':').next().unwrap_or(arn);
    resource.strip_prefix("loadbalancer/").unwrap_or(resource)
}

pub fn hex(rng: &mut Rng, digits: usize) -> String {
    (0..digits).map(|_| char::from_digit(rng.below(16) as u32, 16).unwrap_or('0')).collect()
}

pub fn uuid(rng: &mut Rng) -> String {
    let all = format!("{:016x}{:016x}", rng.draw(), rng.draw());
    format!("{}-{}-{}-{}-{}", &all[..8], &all[8..12], &all[12..16], &all[16..20], &all[20..])
}

/// Returns `ecs-svc/` and nineteen digits.
pub fn deployment_id(rng: &mut Rng) -> String {
    format!("ecs-svc/{:019}", rng.below(10_000_000_000_000_000_000))
}

pub fn mac_address(rng: &mut Rng) -> String {
    let tail: Vec<String> = (0..5).map(|_| hex(rng, 2)).collect();
    format!("06:{}", tail.join(":"))
}
