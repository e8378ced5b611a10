//! ELBv2 in the query protocol.

use super::{element, query, world};
use crate::world::World;

/// An authenticate-oidc action with every field, then a sticky weighted forward, as boto3 writes them.
const SIGN_IN_THEN_FORWARD: &str = "\
&Actions.member.1.Type=authenticate-oidc&Actions.member.1.Order=1\
&Actions.member.1.AuthenticateOidcConfig.Issuer=https%3A%2F%2Fid.example\
&Actions.member.1.AuthenticateOidcConfig.AuthorizationEndpoint=https%3A%2F%2Fid.example%2Fauth\
&Actions.member.1.AuthenticateOidcConfig.TokenEndpoint=https%3A%2F%2Fid.example%2Ftoken\
&Actions.member.1.AuthenticateOidcConfig.UserInfoEndpoint=https%3A%2F%2Fid.example%2Fuser\
&Actions.member.1.AuthenticateOidcConfig.ClientId=client\
&Actions.member.1.AuthenticateOidcConfig.SessionCookieName=Session\
&Actions.member.1.AuthenticateOidcConfig.Scope=openid+email\
&Actions.member.1.AuthenticateOidcConfig.SessionTimeout=604800\
&Actions.member.1.AuthenticateOidcConfig.AuthenticationRequestExtraParams.entry.1.key=display\
&Actions.member.1.AuthenticateOidcConfig.AuthenticationRequestExtraParams.entry.1.value=page\
&Actions.member.1.AuthenticateOidcConfig.AuthenticationRequestExtraParams.entry.2.key=prompt\
&Actions.member.1.AuthenticateOidcConfig.AuthenticationRequestExtraParams.entry.2.value=login\
&Actions.member.1.AuthenticateOidcConfig.OnUnauthenticatedRequest=authenticate\
&Actions.member.2.Type=forward&Actions.member.2.Order=2\
&Actions.member.2.ForwardConfig.TargetGroups.member.1.TargetGroupArn=STABLE\
&Actions.member.2.ForwardConfig.TargetGroups.member.1.Weight=950\
&Actions.member.2.ForwardConfig.TargetGroups.member.2.TargetGroupArn=CANARY\
&Actions.member.2.ForwardConfig.TargetGroups.member.2.Weight=50\
&Actions.member.2.ForwardConfig.TargetGroupStickinessConfig.Enabled=true\
&Actions.member.2.ForwardConfig.TargetGroupStickinessConfig.DurationSeconds=60";

/// What ELB describes of it: everything but the client's secret.
const SIGN_IN_THEN_FORWARD_XML: &str = "<Actions>\
<member><AuthenticateOidcConfig>\
<AuthenticationRequestExtraParams><entry><key>display</key><value>page</value></entry>\
<entry><key>prompt</key><value>login</value></entry></AuthenticationRequestExtraParams>\
<AuthorizationEndpoint>https://id.example/auth</AuthorizationEndpoint>\
<ClientId>client</ClientId><Issuer>https://id.example</Issuer>\
<OnUnauthenticatedRequest>authenticate</OnUnauthenticatedRequest><Scope>openid email</Scope>\
<SessionCookieName>Session</SessionCookieName><SessionTimeout>604800</SessionTimeout>\
<TokenEndpoint>https://id.example/token</TokenEndpoint><UserInfoEndpoint>https://id.example/user</UserInfoEndpoint>\
</AuthenticateOidcConfig><Order>1</Order><Type>authenticate-oidc</Type></member>\
<member><ForwardConfig>\
<TargetGroupStickinessConfig><DurationSeconds>60</DurationSeconds><Enabled>true</Enabled></TargetGroupStickinessConfig>\
<TargetGroups><member><TargetGroupArn>STABLE</TargetGroupArn><Weight>950</Weight></member>\
<member><TargetGroupArn>CANARY</TargetGroupArn><Weight>50</Weight></member></TargetGroups>\
</ForwardConfig><Order>2</Order><Type>forward</Type></member></Actions>";

struct Balancer {
    world: World,
    arn: String,
    listener: String,
    rule: String,
    stable: String,
    canary: String,
}

impl Balancer {
    /// A load balancer with one listener, one rule beside its default, and two groups.
    fn new() -> Balancer {
        let mut world = world();
        let mut create = |form: &str, name: &str| {
            let (status, xml) = query(&mut world, form);
            assert_eq!(status, 200, "{xml}");
            element(&xml, name).to_owned()
        };
        let arn = create("Action=CreateLoadBalancer&Version=2015-12-01&Name=web&Type=application", "LoadBalancerArn");
        let group = "Action=CreateTargetGroup&Version=2015-12-01&Protocol=HTTP&Port=8080&TargetType=ip&VpcId=vpc-1\
            &HealthCheckPath=%2Fhealth&HealthCheckIntervalSeconds=15&Matcher.HttpCode=200-299";
        let stable = create(&format!("{group}&Name=stable"), "TargetGroupArn");
        let canary = create(&format!("{group}&Name=canary"), "TargetGroupArn");
        let listener = create(
            &format!(
                "Action=CreateListener&Version=2015-12-01&LoadBalancerArn={arn}&Port=80&Protocol=HTTP\
                &DefaultActions.member.1.Type=fixed-response\
                &DefaultActions.member.1.FixedResponseConfig.StatusCode=404\
                &DefaultActions.member.1.FixedResponseConfig.MessageBody="
            ),
            "ListenerArn",
        );
        let rule = create(
            &format!(
                "Action=CreateRule&Version=2015-12-01&ListenerArn={listener}&Priority=10\
                &Conditions.member.1.Field=path-pattern&Conditions.member.1.PathPatternConfig.Values.member.1=%2Fcheckout%2F%2A\
                &Actions.member.1.Type=forward&Actions.member.1.TargetGroupArn={stable}"
            ),
            "RuleArn",
        );
        Balancer { world, arn, listener, rule, stable, canary }
    }

    /// Sends an operation with its parameters; `STABLE` and `CANARY` stand for the groups, both ways.
    fn send(&mut self, action: &str, parameters: &str) -> (u16, String) {
        let parameters = parameters.replace("STABLE", &self.stable).replace("CANARY", &self.canary);
        let (status, xml) = query(&mut self.world, &format!("Action={action}&Version=2015-12-01{parameters}"));
        (status, xml.replace(&self.stable, "STABLE").replace(&self.canary, "CANARY"))
    }

    fn ok(&mut self, action: &str, parameters: &str) -> String {
        let (status, xml) = self.send(action, parameters);
        assert_eq!(status, 200, "{xml}");
        let opening = format!(
            "<{action}Response xmlns=\"http://elasticloadbalancing.amazonaws.com/doc/2015-12-01/\"><{action}Result>"
        );
        assert!(xml.starts_with(&opening), "{xml}");
        xml
    }

    fn refused(&mut self, action: &str, parameters: &str) -> String {
        let (status, xml) = self.send(action, parameters);
        assert_eq!(status, 400, "{xml}");
        assert_eq!(element(&xml, "Type"), "Sender");
        element(&xml, "Code").to_owned()
    }

    fn rule(&mut self) -> String {
        let by_arn = format!("&RuleArns.member.1={}", self.rule);
        self.ok("DescribeRules", &by_arn)
    }
}

#[test]
fn what_is_created_is_described() {
    let mut balancer = Balancer::new();
    let xml = balancer.ok("DescribeLoadBalancers", "&Names.member.1=web");
    assert_eq!(element(&xml, "LoadBalancerArn"), balancer.arn);
    assert_eq!(element(&xml, "CreatedTime"), "2026-11-22T13:00:00.000Z");
    assert_eq!(element(&xml, "State"), "<Code>active</Code>");
    let xml = balancer.ok("DescribeTargetGroups", "&TargetGroupArns.member.1=STABLE");
    assert_eq!(element(&xml, "TargetGroupArn"), "STABLE");
    assert_eq!(element(&xml, "HealthCheckPath"), "/health");
    assert_eq!(element(&xml, "HealthCheckIntervalSeconds"), "15");
    assert_eq!(element(&xml, "Matcher"), "<HttpCode>200-299</HttpCode>");
    let by_balancer = format!("&LoadBalancerArn={}", balancer.arn);
    let xml = balancer.ok("DescribeListeners", &by_balancer);
    assert_eq!(element(&xml, "ListenerArn"), balancer.listener);
    assert_eq!(
        element(&xml, "FixedResponseConfig"),
        "<MessageBody></MessageBody><StatusCode>404</StatusCode>",
        "an empty text is a text"
    );
}

#[test]
fn a_whole_action_list_survives_describe_and_modify() {
    let mut balancer = Balancer::new();
    let rule = format!("&RuleArn={}", balancer.rule);
    assert_eq!(
        balancer.refused("ModifyRule", &format!("{rule}{SIGN_IN_THEN_FORWARD}")),
        "ValidationError",
        "the first write brings the client's secret"
    );
    let secret = "&Actions.member.1.AuthenticateOidcConfig.ClientSecret=s%26";
    balancer.ok("ModifyRule", &format!("{rule}{SIGN_IN_THEN_FORWARD}{secret}"));
    let described = balancer.rule();
    assert!(described.contains(SIGN_IN_THEN_FORWARD_XML), "{described}");
    assert!(!described.contains("s&amp;"), "a secret is never described");

    let existing = "&Actions.member.1.AuthenticateOidcConfig.UseExistingClientSecret=true";
    let written = balancer.ok("ModifyRule", &format!("{rule}{SIGN_IN_THEN_FORWARD}{existing}"));
    assert!(written.contains(SIGN_IN_THEN_FORWARD_XML), "{written}");
    assert_eq!(balancer.rule(), described);
}

#[test]
fn a_jwt_validation_action_keeps_its_claims() {
    let mut balancer = Balancer::new();
    let rule = format!("&RuleArn={}", balancer.rule);
    balancer.ok(
        "ModifyRule",
        &format!(
            "{rule}&Actions.member.1.Type=jwt-validation&Actions.member.1.Order=1\
            &Actions.member.1.JwtValidationConfig.JwksEndpoint=https%3A%2F%2Fid.example%2Fkeys\
            &Actions.member.1.JwtValidationConfig.Issuer=https%3A%2F%2Fid.example\
            &Actions.member.1.JwtValidationConfig.AdditionalClaims.member.1.Format=string-array\
            &Actions.member.1.JwtValidationConfig.AdditionalClaims.member.1.Name=aud\
            &Actions.member.1.JwtValidationConfig.AdditionalClaims.member.1.Values.member.1=shop\
            &Actions.member.1.JwtValidationConfig.AdditionalClaims.member.1.Values.member.2=bank\
            &Actions.member.2.Type=forward&Actions.member.2.Order=2&Actions.member.2.TargetGroupArn=CANARY"
        ),
    );
    let xml = balancer.rule();
    assert_eq!(
        element(&xml, "JwtValidationConfig"),
        "<AdditionalClaims><member><Format>string-array</Format><Name>aud</Name>\
        <Values><member>shop</member><member>bank</member></Values></member></AdditionalClaims>\
        <Issuer>https://id.example</Issuer><JwksEndpoint>https://id.example/keys</JwksEndpoint>"
    );
    assert!(xml.contains("<TargetGroupArn>CANARY</TargetGroupArn>"), "{xml}");
}

#[test]
fn the_rules_of_a_listener_come_in_pages() {
    let mut balancer = Balancer::new();
    let listener = format!("&ListenerArn={}", balancer.listener);
    let all = balancer.ok("DescribeRules", &listener);
    assert_eq!(all.matches("<RuleArn>").count(), 2);
    assert_eq!(all.matches("<IsDefault>true</IsDefault>").count(), 1);
    assert_eq!(element(&all, "Values"), "<member>/checkout/*</member>");
    let first = balancer.ok("DescribeRules", &format!("{listener}&PageSize=1"));
    assert_eq!(element(&first, "NextMarker"), "1");
    let second = balancer.ok("DescribeRules", &format!("{listener}&PageSize=1&Marker=1"));
    assert!(!second.contains("<NextMarker>"), "{second}");
    assert_ne!(element(&first, "RuleArn"), element(&second, "RuleArn"));
    assert_eq!(balancer.refused("DescribeRules", &format!("{listener}&Marker=x")), "ValidationError");
    assert_eq!(balancer.refused("DescribeRules", "&RuleArns.member.1=gone"), "RuleNotFound");
}

#[test]
fn a_default_action_is_modified_with_its_listener() {
    let mut balancer = Balancer::new();
    let xml = balancer.ok(
        "ModifyListener",
        &format!(
            "&ListenerArn={}&DefaultActions.member.1.Type=forward\
            &DefaultActions.member.1.ForwardConfig.TargetGroups.member.1.TargetGroupArn=STABLE\
            &DefaultActions.member.1.ForwardConfig.TargetGroups.member.1.Weight=999\
            &DefaultActions.member.1.ForwardConfig.TargetGroups.member.2.TargetGroupArn=CANARY\
            &DefaultActions.member.1.ForwardConfig.TargetGroups.member.2.Weight=1",
            balancer.listener
        ),
    );
    assert_eq!(
        element(&xml, "TargetGroups"),
        "<member><TargetGroupArn>STABLE</TargetGroupArn><Weight>999</Weight></member>\
        <member><TargetGroupArn>CANARY</TargetGroupArn><Weight>1</Weight></member>"
    );
    let too_heavy = format!(
        "&RuleArn={}&Actions.member.1.Type=forward\
        &Actions.member.1.ForwardConfig.TargetGroups.member.1.TargetGroupArn=STABLE\
        &Actions.member.1.ForwardConfig.TargetGroups.member.1.Weight=1000",
        balancer.rule
    );
    assert_eq!(balancer.refused("ModifyRule", &too_heavy), "ValidationError");
    assert_eq!(balancer.refused("ModifyListener", "&ListenerArn=gone"), "ListenerNotFound");
}

#[test]
fn attributes_and_targets_of_a_group() {
    let mut balancer = Balancer::new();
    let written = "<Key>deregistration_delay.timeout_seconds</Key><Value>30</Value>";
    let xml = balancer.ok(
        "ModifyTargetGroupAttributes",
        "&TargetGroupArn=STABLE&Attributes.member.1.Key=deregistration_delay.timeout_seconds&Attributes.member.1.Value=30",
    );
    assert!(xml.contains(written), "{xml}");
    let xml = balancer.ok("DescribeTargetGroupAttributes", "&TargetGroupArn=STABLE");
    assert!(xml.contains(written), "{xml}");
    let xml = balancer.ok("DescribeTargetHealth", "&TargetGroupArn=STABLE");
    assert_eq!(element(&xml, "TargetHealthDescriptions"), "");
    balancer.ok("RegisterTargets", "&TargetGroupArn=STABLE&Targets.member.1.Id=10.0.0.1&Targets.member.1.Port=8080");
    let xml = balancer.ok("DescribeTargetHealth", "&TargetGroupArn=STABLE");
    assert_eq!(element(&xml, "Id"), "10.0.0.1");
    assert_eq!(element(&xml, "State"), "initial");
    balancer.ok("DeregisterTargets", "&TargetGroupArn=STABLE&Targets.member.1.Id=10.0.0.1&Targets.member.1.Port=8080");
    let xml = balancer.ok("DescribeTargetHealth", "&TargetGroupArn=STABLE");
    assert_eq!(element(&xml, "State"), "draining");
    assert_eq!(balancer.refused("DescribeTargetHealth", "&TargetGroupArn=gone"), "TargetGroupNotFound");
    assert_eq!(balancer.refused("DescribeTargetHealth", ""), "ValidationError");
}
