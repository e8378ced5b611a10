//! An AWS request as it came over the wire, and the answer's shape in each protocol.

use axum::body::Bytes;
use axum::http::HeaderMap;

/// How a request is written, which decides how its answer is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    /// `X-Amz-Target` and JSON: DynamoDB, SQS (1.0); ECS, EventBridge, Application Auto Scaling (1.1).
    Json { version: JsonVersion },
    /// A form with `Action` in, XML out: ELBv2, and CloudWatch by older clients.
    Query,
    /// Smithy RPC v2 with CBOR: CloudWatch by newer clients.
    RpcV2Cbor,
}

/// The version in the content type of an awsJson answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JsonVersion {
    V1_0,
    V1_1,
}

/// One request, after the door has found out what it is.
#[derive(Debug, Clone)]
pub struct AwsRequest {
    /// The service's IAM prefix: `ecs`, `elasticloadbalancing`, `cloudwatch`, `dynamodb`, …
    pub service: String,
    /// The operation, as in `DescribeRules`.
    pub action: String,
    pub protocol: Protocol,
    /// A UUID that the door gives to each request; every answer carries it back.
    pub request_id: String,
    pub headers: HeaderMap,
    pub body: Bytes,
}

/// One answer, ready to be sent.
#[derive(Debug, Clone)]
pub struct AwsReply {
    pub status: u16,
    pub content_type: &'static str,
    /// Headers besides the content type, as `smithy-protocol`.
    pub headers: Vec<(&'static str, String)>,
    pub body: Vec<u8>,
    /// The error code, as the transcript records it; `None` for a success.
    pub error: Option<String>,
}

/// Who is at fault, which a client reads as "do not repeat" or "repeat".
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    Sender,
    Receiver,
}

impl AwsRequest {
    /// A successful answer with `body` in this request's protocol.
    pub fn ok(&self, body: impl Into<Vec<u8>>) -> AwsReply {
        AwsReply {
            status: 200,
            content_type: self.content_type(),
            headers: self.reply_headers(),
            body: body.into(),
            error: None,
        }
    }

    /// An error in the shape that this request's protocol gives it.
    pub fn error(&self, status: u16, code: &str, message: &str) -> AwsReply {
        let fault = if status < 500 { Fault::Sender } else { Fault::Receiver };
        let body = match self.protocol {
            Protocol::Json { .. } => serde_json::json!({ "__type": code, "message": message }).to_string().into_bytes(),
            Protocol::Query => query_error(fault, code, message, &self.request_id).into_bytes(),
            Protocol::RpcV2Cbor => cbor_error(code, message),
        };
        AwsReply {
            status,
            content_type: self.content_type(),
            headers: self.reply_headers(),
            body,
            error: Some(code.to_owned()),
        }
    }

    /// The answer to a call that IAM denies; `message` is IAM's sentence.
    pub fn access_denied(&self, message: &str) -> AwsReply {
        match self.protocol {
            Protocol::Json { .. } => self.error(400, "AccessDeniedException", message),
            Protocol::Query | Protocol::RpcV2Cbor => self.error(403, "AccessDenied", message),
        }
    }

    /// The answer to a call that this sandbox does not know, by name, in the
    /// words that AWS has for an operation that does not exist.
    pub fn not_implemented(&self) -> AwsReply {
        let message = format!("not implemented in the sandbox: {}:{}", self.service, self.action);
        match self.protocol {
            Protocol::Json { .. } => self.error(400, "UnknownOperationException", &message),
            Protocol::Query => self.error(400, "InvalidAction", &message),
            Protocol::RpcV2Cbor => self.error(404, "UnknownOperationException", &message),
        }
    }

    fn content_type(&self) -> &'static str {
        match self.protocol {
            Protocol::Json { version: JsonVersion::V1_0 } => "application/x-amz-json-1.0",
            Protocol::Json { version: JsonVersion::V1_1 } => "application/x-amz-json-1.1",
            Protocol::Query => "text/xml",
            Protocol::RpcV2Cbor => "application/cbor",
        }
    }

    fn reply_headers(&self) -> Vec<(&'static str, String)> {
        let mut headers = vec![("x-amzn-requestid", self.request_id.clone())];
        match self.protocol {
            Protocol::Json { .. } | Protocol::Query => {}
            Protocol::RpcV2Cbor => headers.push(("smithy-protocol", "rpc-v2-cbor".to_owned())),
        }
        headers
    }
}

fn query_error(fault: Fault, code: &str, message: &str, request_id: &str) -> String {
    let kind = match fault {
        Fault::Sender => "Sender",
        Fault::Receiver => "Receiver",
    };
    format!(
        "<ErrorResponse><Error><Type>{kind}</Type><Code>{}</Code><Message>{}</Message></Error>\
         <RequestId>{}</RequestId></ErrorResponse>",
        xml_text(code),
        xml_text(message),
        xml_text(request_id)
    )
}

/// Escapes a text for XML.
pub fn xml_text(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

/// A CBOR map of two texts: all that an error needs.
fn cbor_error(code: &str, message: &str) -> Vec<u8> {
    let mut out = vec![0xa2];
    for text in ["__type", code, "message", message] {
        cbor_text(&mut out, text);
    }
    out
}

fn cbor_text(out: &mut Vec<u8>, text: &str) {
    const TEXT: u8 = 0x60;
    let length = text.len();
    match (u8::try_from(length), u16::try_from(length)) {
        (Ok(short), _) if short < 24 => out.push(TEXT | short),
        (Ok(byte), _) => out.extend([TEXT | 24, byte]),
        (Err(_), Ok(word)) => {
            out.push(TEXT | 25);
            out.extend(word.to_be_bytes());
        }
        (Err(_), Err(_)) => {
            out.push(TEXT | 27);
            out.extend((length as u64).to_be_bytes());
        }
    }
    out.extend(text.as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(protocol: Protocol) -> AwsRequest {
        AwsRequest {
            service: "ecs".into(),
            action: "UpdateService".into(),
            protocol,
            request_id: "r-1".into(),
            headers: HeaderMap::new(),
            body: Bytes::new(),
        }
    }

    #[test]
    fn an_error_has_the_shape_of_its_protocol() {
        let json = request(Protocol::Json { version: JsonVersion::V1_1 }).not_implemented();
        assert_eq!(json.status, 400);
        assert_eq!(json.headers, [("x-amzn-requestid", "r-1".to_owned())]);
        assert_eq!(
            String::from_utf8(json.body).unwrap(),
            r#"{"__type":"UnknownOperationException","message":"not implemented in the sandbox: ecs:UpdateService"}"#
        );
        let query = request(Protocol::Query).access_denied("a < b");
        assert_eq!(query.status, 403);
        let body = String::from_utf8(query.body).unwrap();
        assert!(body.contains("<Message>a &lt; b</Message>"), "{body}");
        assert!(body.contains("<RequestId>r-1</RequestId>"), "{body}");
        let cbor = request(Protocol::RpcV2Cbor).error(400, "Ab", "c");
        assert_eq!(cbor.body, b"\xa2\x66__type\x62Ab\x67message\x61c");
    }
}
