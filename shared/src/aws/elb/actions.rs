//! Whole action lists, both ways: what is written back differs from what was read in nothing but weights.

use std::collections::HashMap;

use aws_sdk_elasticloadbalancingv2::types::{
    self as aws, ActionTypeEnum, AuthenticateCognitoActionConfig, AuthenticateOidcActionConfig,
    FixedResponseActionConfig, ForwardActionConfig, JwtValidationActionAdditionalClaim, JwtValidationActionConfig,
    RedirectActionConfig, TargetGroupStickinessConfig, TargetGroupTuple,
};
use serde::{Deserialize, Serialize};

use crate::ids::TargetGroupArn;
use crate::observation::{Action, Stickiness};

/// A single group without a weight gets everything, which AWS shows as 1.
const WHOLE: i32 = 1;

/// An action that cannot be written again as it is.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unreadable {
    /// A kind that this SDK does not know the fields of.
    #[error("an action of type `{0}` is newer than this controller: it cannot be kept when weights are written")]
    Kind(String),
    /// A field that the API's description promises is missing, or one is out of range.
    #[error("an action of type `{kind}` {what}")]
    Field {
        /// The action's type.
        kind: String,
        /// What is wrong.
        what: String,
    },
}

/// Every other action's fields, by AWS's names. The client secret of OIDC is never in it: AWS does not tell it.
#[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Kept {
    #[serde(skip_serializing_if = "Option::is_none")]
    order: Option<i32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    authenticate_oidc_config: Option<Oidc>,
    #[serde(skip_serializing_if = "Option::is_none")]
    authenticate_cognito_config: Option<Cognito>,
    #[serde(skip_serializing_if = "Option::is_none")]
    jwt_validation_config: Option<Jwt>,
    #[serde(skip_serializing_if = "Option::is_none")]
    redirect_config: Option<Redirect>,
    #[serde(skip_serializing_if = "Option::is_none")]
    fixed_response_config: Option<FixedResponse>,
}

#[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Oidc {
    issuer: Option<String>,
    authorization_endpoint: Option<String>,
    token_endpoint: Option<String>,
    user_info_endpoint: Option<String>,
    client_id: Option<String>,
    session_cookie_name: Option<String>,
    scope: Option<String>,
    session_timeout: Option<i64>,
    authentication_request_extra_params: Option<std::collections::BTreeMap<String, String>>,
    on_unauthenticated_request: Option<String>,
}

#[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Cognito {
    user_pool_arn: Option<String>,
    user_pool_client_id: Option<String>,
    user_pool_domain: Option<String>,
    session_cookie_name: Option<String>,
    scope: Option<String>,
    session_timeout: Option<i64>,
    authentication_request_extra_params: Option<std::collections::BTreeMap<String, String>>,
    on_unauthenticated_request: Option<String>,
}

#[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Jwt {
    jwks_endpoint: Option<String>,
    issuer: Option<String>,
    additional_claims: Option<Vec<Claim>>,
}

#[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Claim {
    format: Option<String>,
    name: Option<String>,
    values: Option<Vec<String>>,
}

#[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Redirect {
    protocol: Option<String>,
    port: Option<String>,
    host: Option<String>,
    path: Option<String>,
    query: Option<String>,
    status_code: Option<String>,
}

#[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct FixedResponse {
    message_body: Option<String>,
    status_code: Option<String>,
    content_type: Option<String>,
}

/// Reads a rule's actions.
pub fn read(actions: &[aws::Action]) -> Result<Vec<Action>, Unreadable> {
    actions.iter().map(read_one).collect()
}

/// Makes the actions to write.
pub fn write(actions: &[Action]) -> Result<Vec<aws::Action>, Unreadable> {
    actions.iter().map(write_one).collect()
}

fn field(kind: &str, what: impl Into<String>) -> Unreadable {
    Unreadable::Field { kind: kind.to_owned(), what: what.into() }
}

fn read_one(action: &aws::Action) -> Result<Action, Unreadable> {
    let Some(kind) = action.r#type() else { return Err(field("?", "has no type")) };
    match kind {
        ActionTypeEnum::Forward => forward(action),
        ActionTypeEnum::AuthenticateOidc
        | ActionTypeEnum::AuthenticateCognito
        | ActionTypeEnum::JwtValidation
        | ActionTypeEnum::Redirect
        | ActionTypeEnum::FixedResponse => other(kind.as_str(), action),
        newer => Err(Unreadable::Kind(newer.as_str().to_owned())),
    }
}

/// Reads a forward action: by its configuration, or by the one group that older ones name.
fn forward(action: &aws::Action) -> Result<Action, Unreadable> {
    let configured = action.forward_config();
    let mut groups = Vec::new();
    for tuple in configured.map_or(&[][..], ForwardActionConfig::target_groups) {
        let arn = tuple.target_group_arn().ok_or_else(|| field("forward", "names no target group"))?;
        let weight = tuple.weight().unwrap_or(WHOLE);
        let weight = u32::try_from(weight).map_err(|_| field("forward", format!("has the weight {weight}")))?;
        groups.push((TargetGroupArn::new(arn), weight));
    }
    if groups.is_empty() {
        let arn = action.target_group_arn().ok_or_else(|| field("forward", "names no target group"))?;
        groups.push((TargetGroupArn::new(arn), WHOLE.unsigned_abs()));
    }
    let stickiness = configured.and_then(ForwardActionConfig::target_group_stickiness_config);
    let stickiness = stickiness.map(|sticky| Stickiness {
        enabled: sticky.enabled() == Some(true),
        seconds: sticky.duration_seconds().and_then(|seconds| u32::try_from(seconds).ok()),
    });
    Ok(Action::Forward { order: action.order(), groups, stickiness })
}

fn other(kind: &str, action: &aws::Action) -> Result<Action, Unreadable> {
    let kept = Kept {
        order: action.order(),
        authenticate_oidc_config: action.authenticate_oidc_config().map(Oidc::of),
        authenticate_cognito_config: action.authenticate_cognito_config().map(Cognito::of),
        jwt_validation_config: action.jwt_validation_config().map(Jwt::of),
        redirect_config: action.redirect_config().map(Redirect::of),
        fixed_response_config: action.fixed_response_config().map(FixedResponse::of),
    };
    let body = serde_json::to_string(&kept).map_err(|why| field(kind, why.to_string()))?;
    Ok(Action::Other { kind: kind.to_owned(), body })
}

fn write_one(action: &Action) -> Result<aws::Action, Unreadable> {
    match action {
        Action::Forward { order, groups, stickiness } => {
            let mut config = ForwardActionConfig::builder();
            for (group, weight) in groups {
                let weight =
                    i32::try_from(*weight).map_err(|_| field("forward", format!("has the weight {weight}")))?;
                config = config
                    .target_groups(TargetGroupTuple::builder().target_group_arn(group.as_str()).weight(weight).build());
            }
            let sticky = stickiness.as_ref().map(|sticky| {
                let seconds = sticky.seconds.and_then(|seconds| i32::try_from(seconds).ok());
                TargetGroupStickinessConfig::builder().enabled(sticky.enabled).set_duration_seconds(seconds).build()
            });
            let config = config.set_target_group_stickiness_config(sticky).build();
            Ok(aws::Action::builder().r#type(ActionTypeEnum::Forward).set_order(*order).forward_config(config).build())
        }
        Action::Other { kind, body } => {
            let kept: Kept = serde_json::from_str(body).map_err(|why| field(kind, format!("was kept as {why}")))?;
            Ok(aws::Action::builder()
                .r#type(ActionTypeEnum::from(kind.as_str()))
                .set_order(kept.order)
                .set_authenticate_oidc_config(kept.authenticate_oidc_config.map(Oidc::into_aws))
                .set_authenticate_cognito_config(kept.authenticate_cognito_config.map(Cognito::into_aws))
                .set_jwt_validation_config(kept.jwt_validation_config.map(Jwt::into_aws))
                .set_redirect_config(kept.redirect_config.map(Redirect::into_aws))
                .set_fixed_response_config(kept.fixed_response_config.map(FixedResponse::into_aws))
                .build())
        }
    }
}

fn text(value: Option<&str>) -> Option<String> {
    value.map(str::to_owned)
}

/// Sorted, so that the same action always reads as the same text.
fn sorted(map: Option<&HashMap<String, String>>) -> Option<std::collections::BTreeMap<String, String>> {
    map.map(|map| map.iter().map(|(key, value)| (key.clone(), value.clone())).collect())
}

impl Oidc {
    fn of(it: &AuthenticateOidcActionConfig) -> Self {
        Self {
            issuer: text(it.issuer()),
            authorization_endpoint: text(it.authorization_endpoint()),
            token_endpoint: text(it.token_endpoint()),
            user_info_endpoint: text(it.user_info_endpoint()),
            client_id: text(it.client_id()),
            session_cookie_name: text(it.session_cookie_name()),
            scope: text(it.scope()),
            session_timeout: it.session_timeout(),
            authentication_request_extra_params: sorted(it.authentication_request_extra_params()),
            on_unauthenticated_request: it.on_unauthenticated_request().map(|it| it.as_str().to_owned()),
        }
    }

    fn into_aws(self) -> AuthenticateOidcActionConfig {
        AuthenticateOidcActionConfig::builder()
            .set_issuer(self.issuer)
            .set_authorization_endpoint(self.authorization_endpoint)
            .set_token_endpoint(self.token_endpoint)
            .set_user_info_endpoint(self.user_info_endpoint)
            .set_client_id(self.client_id)
            .set_session_cookie_name(self.session_cookie_name)
            .set_scope(self.scope)
            .set_session_timeout(self.session_timeout)
            .set_authentication_request_extra_params(
                self.authentication_request_extra_params.map(|map| map.into_iter().collect()),
            )
            .set_on_unauthenticated_request(self.on_unauthenticated_request.map(|it| it.as_str().into()))
            // AWS never tells the secret; this keeps the one that it has.
            .use_existing_client_secret(true)
            .build()
    }
}

impl Cognito {
    fn of(it: &AuthenticateCognitoActionConfig) -> Self {
        Self {
            user_pool_arn: text(it.user_pool_arn()),
            user_pool_client_id: text(it.user_pool_client_id()),
            user_pool_domain: text(it.user_pool_domain()),
            session_cookie_name: text(it.session_cookie_name()),
            scope: text(it.scope()),
            session_timeout: it.session_timeout(),
            authentication_request_extra_params: sorted(it.authentication_request_extra_params()),
            on_unauthenticated_request: it.on_unauthenticated_request().map(|it| it.as_str().to_owned()),
        }
    }

    fn into_aws(self) -> AuthenticateCognitoActionConfig {
        AuthenticateCognitoActionConfig::builder()
            .set_user_pool_arn(self.user_pool_arn)
            .set_user_pool_client_id(self.user_pool_client_id)
            .set_user_pool_domain(self.user_pool_domain)
            .set_session_cookie_name(self.session_cookie_name)
            .set_scope(self.scope)
            .set_session_timeout(self.session_timeout)
            .set_authentication_request_extra_params(
                self.authentication_request_extra_params.map(|map| map.into_iter().collect()),
            )
            .set_on_unauthenticated_request(self.on_unauthenticated_request.map(|it| it.as_str().into()))
            .build()
    }
}

impl Jwt {
    fn of(it: &JwtValidationActionConfig) -> Self {
        let claims = it.additional_claims.as_ref().map(|claims| claims.iter().map(Claim::of).collect());
        Self { jwks_endpoint: text(it.jwks_endpoint()), issuer: text(it.issuer()), additional_claims: claims }
    }

    fn into_aws(self) -> JwtValidationActionConfig {
        let claims = self.additional_claims.map(|claims| claims.into_iter().map(Claim::into_aws).collect());
        JwtValidationActionConfig::builder()
            .set_jwks_endpoint(self.jwks_endpoint)
            .set_issuer(self.issuer)
            .set_additional_claims(claims)
            .build()
    }
}

impl Claim {
    fn of(it: &JwtValidationActionAdditionalClaim) -> Self {
        Self { format: it.format().map(|it| it.as_str().to_owned()), name: text(it.name()), values: it.values.clone() }
    }

    fn into_aws(self) -> JwtValidationActionAdditionalClaim {
        JwtValidationActionAdditionalClaim::builder()
            .set_format(self.format.map(|it| it.as_str().into()))
            .set_name(self.name)
            .set_values(self.values)
            .build()
    }
}

impl Redirect {
    fn of(it: &RedirectActionConfig) -> Self {
        Self {
            protocol: text(it.protocol()),
            port: text(it.port()),
            host: text(it.host()),
            path: text(it.path()),
            query: text(it.query()),
            status_code: it.status_code().map(|it| it.as_str().to_owned()),
        }
    }

    fn into_aws(self) -> RedirectActionConfig {
        RedirectActionConfig::builder()
            .set_protocol(self.protocol)
            .set_port(self.port)
            .set_host(self.host)
            .set_path(self.path)
            .set_query(self.query)
            .set_status_code(self.status_code.map(|it| it.as_str().into()))
            .build()
    }
}

impl FixedResponse {
    fn of(it: &FixedResponseActionConfig) -> Self {
        Self {
            message_body: text(it.message_body()),
            status_code: text(it.status_code()),
            content_type: text(it.content_type()),
        }
    }

    fn into_aws(self) -> FixedResponseActionConfig {
        FixedResponseActionConfig::builder()
            .set_message_body(self.message_body)
            .set_status_code(self.status_code)
            .set_content_type(self.content_type)
            .build()
    }
}

#[cfg(test)]
mod tests {
    use aws_sdk_elasticloadbalancingv2::types::JwtValidationActionAdditionalClaimFormatEnum as Format;

    use super::*;

    fn forwarding(weights: &[(&str, i32)]) -> aws::Action {
        let tuples = weights
            .iter()
            .map(|(group, weight)| TargetGroupTuple::builder().target_group_arn(*group).weight(*weight).build());
        let sticky = TargetGroupStickinessConfig::builder().enabled(true).duration_seconds(600).build();
        let config = ForwardActionConfig::builder()
            .set_target_groups(Some(tuples.collect()))
            .target_group_stickiness_config(sticky);
        aws::Action::builder().r#type(ActionTypeEnum::Forward).order(3).forward_config(config.build()).build()
    }

    #[test]
    fn a_whole_action_list_is_written_back_as_it_was_read() {
        let oidc = AuthenticateOidcActionConfig::builder()
            .issuer("https://id.example")
            .client_id("shop")
            .scope("openid email")
            .session_timeout(3600)
            .authentication_request_extra_params("prompt", "login")
            .on_unauthenticated_request("deny".into());
        let cognito = AuthenticateCognitoActionConfig::builder().user_pool_arn("arn:pool").session_cookie_name("c");
        let claim = JwtValidationActionAdditionalClaim::builder().format(Format::StringArray).name("scope").values("a");
        let jwt = JwtValidationActionConfig::builder().issuer("https://id.example").additional_claims(claim.build());
        let redirect = RedirectActionConfig::builder().protocol("HTTPS").status_code("HTTP_301".into());
        let fixed = FixedResponseActionConfig::builder().status_code("503").message_body("closed");
        let action = |kind: &str| aws::Action::builder().r#type(kind.into()).order(1);
        let list = [
            action("authenticate-oidc").authenticate_oidc_config(oidc.clone().build()).build(),
            action("authenticate-cognito").authenticate_cognito_config(cognito.build()).build(),
            action("jwt-validation").jwt_validation_config(jwt.build()).build(),
            action("redirect").redirect_config(redirect.build()).build(),
            action("fixed-response").fixed_response_config(fixed.build()).build(),
            forwarding(&[("blue", 950), ("green", 50)]),
        ];

        let mut written = write(&read(&list).unwrap()).unwrap();

        // The one thing that differs: the secret that AWS keeps to itself stays in use.
        assert_eq!(written[0].authenticate_oidc_config, Some(oidc.use_existing_client_secret(true).build()));
        written[0] = list[0].clone();
        assert_eq!(written, list);
    }

    #[test]
    fn a_forward_by_a_single_group_is_a_forward_with_everything() {
        let old = aws::Action::builder().r#type(ActionTypeEnum::Forward).target_group_arn("blue").build();
        let expected =
            Action::Forward { order: None, groups: vec![(TargetGroupArn::new("blue"), 1)], stickiness: None };
        assert_eq!(read(&[old]).unwrap(), [expected]);
    }

    #[test]
    fn a_kind_that_cannot_be_kept_is_refused_by_name() {
        let newer = aws::Action::builder().r#type("teleport".into()).build();
        assert_eq!(read(&[newer]), Err(Unreadable::Kind("teleport".into())));
        let nowhere = aws::Action::builder().r#type(ActionTypeEnum::Forward).build();
        assert_eq!(read(&[nowhere]).unwrap_err().to_string(), "an action of type `forward` names no target group");
    }
}
