//! The OpenAPI 3.1 document of each listener, made from the route table and the wire structs. Golden tests keep them
//! in `docs/reference`.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use schemars::generate::SchemaSettings;
use schemars::{Schema, SchemaGenerator};
use serde::Serialize;
use serde_json::{Map, Value};

use super::routes::{Audience, ROUTES, Route, Success};
use super::schema::for_generators;
use crate::surface::{ErrorCode, Parameter, of_outcomes, of_refusals, of_surface};
use crate::wire::ProblemBody;

/// Which listener a document is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Listener {
    /// Agents'.
    Agents,
    /// People's.
    People,
}

impl Listener {
    const fn audience(self) -> Audience {
        match self {
            Self::Agents => Audience::Agent,
            Self::People => Audience::Person,
        }
    }
}

#[derive(Serialize)]
struct OpenApi {
    openapi: &'static str,
    info: Info,
    servers: [Server; 1],
    paths: BTreeMap<&'static str, BTreeMap<&'static str, Operation>>,
    components: Components,
}

#[derive(Serialize)]
struct Info {
    title: &'static str,
    version: &'static str,
    description: &'static str,
}

#[derive(Serialize)]
struct Server {
    url: &'static str,
    description: &'static str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Components {
    schemas: Map<String, Value>,
    security_schemes: BTreeMap<&'static str, SecurityScheme>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct SecurityScheme {
    #[serde(rename = "type")]
    kind: &'static str,
    scheme: &'static str,
    bearer_format: &'static str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Operation {
    #[serde(rename = "operationId")]
    id: &'static str,
    summary: &'static str,
    #[serde(rename = "x-access")]
    access: &'static str,
    security: Vec<BTreeMap<&'static str, Vec<&'static str>>>,
    parameters: Vec<ParameterDoc>,
    #[serde(skip_serializing_if = "Option::is_none")]
    request_body: Option<RequestBody>,
    responses: BTreeMap<String, Response>,
}

#[derive(Serialize)]
struct ParameterDoc {
    name: &'static str,
    #[serde(rename = "in")]
    place: &'static str,
    required: bool,
    description: &'static str,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    explode: bool,
    schema: Schema,
}

#[derive(Serialize)]
struct RequestBody {
    required: bool,
    content: BTreeMap<&'static str, Content>,
}

#[derive(Serialize)]
struct Response {
    description: String,
    content: BTreeMap<&'static str, Content>,
}

#[derive(Serialize)]
struct Content {
    schema: Schema,
}

/// The document as it is served and kept.
pub(crate) fn text(listener: Listener) -> &'static str {
    static TEXTS: [OnceLock<String>; 2] = [OnceLock::new(), OnceLock::new()];
    let [agents, people] = &TEXTS;
    let slot = match listener {
        Listener::Agents => agents,
        Listener::People => people,
    };
    slot.get_or_init(|| {
        let mut text = serde_json::to_string_pretty(&document(listener)).unwrap_or_default();
        text.push('\n');
        text
    })
}

fn document(listener: Listener) -> OpenApi {
    let settings = SchemaSettings::draft2020_12().with(|s| {
        s.definitions_path = "/components/schemas".into();
        s.meta_schema = None;
    });
    let mut generator = settings.into_generator();
    let mut paths: BTreeMap<&str, BTreeMap<&str, Operation>> = BTreeMap::new();
    for route in ROUTES.iter().filter(|route| route.is_on(listener.audience())) {
        paths.entry(route.path).or_default().insert(route.method, operation(route, &mut generator));
    }
    let scheme = |format| SecurityScheme { kind: "http", scheme: "bearer", bearer_format: format };
    let (title, server, schemes) = match listener {
        Listener::Agents => (
            "Countersign, the agents' listener",
            Server { url: "http://127.0.0.1:7400", description: "`[listen] agents`" },
            vec![("agentKey", scheme("csk_…")), ("agentToken", scheme("JWT"))],
        ),
        Listener::People => (
            "Countersign, the people's listener",
            Server { url: "http://127.0.0.1:7401", description: "`[listen] people`" },
            vec![("session", scheme("css_…"))],
        ),
    };
    let description =
        "Agents propose on one listener, people decide on the other. Errors are RFC 9457 problem details.";
    OpenApi {
        openapi: "3.1.0",
        info: Info { title, version: env!("CARGO_PKG_VERSION"), description },
        servers: [server],
        paths,
        components: Components {
            schemas: for_generators(generator.take_definitions(true)),
            security_schemes: schemes.into_iter().collect(),
        },
    }
}

fn operation(route: &Route, generator: &mut SchemaGenerator) -> Operation {
    // One of them is enough.
    let schemes: &[&str] = match route.audience {
        Audience::Anyone => &[],
        Audience::Agent => &["agentKey", "agentToken"],
        Audience::Person => &["session"],
    };
    let mut parameters: Vec<ParameterDoc> = Vec::new();
    if route.path.contains("{id}") {
        parameters.push(ParameterDoc {
            name: "id",
            place: "path",
            required: true,
            description: "The proposal.",
            explode: false,
            schema: generator.subschema_for::<countersign_core::id::ProposalId>(),
        });
    }
    parameters.extend(route.query.iter().map(parameter));
    if route.id == "propose" {
        parameters.push(ParameterDoc {
            name: "Idempotency-Key",
            place: "header",
            required: false,
            description: "Makes the request safe to repeat.",
            explode: false,
            schema: schemars::json_schema!({
                "type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[!-~]([ -~]*[!-~])?$"
            }),
        });
    }
    if route.id == "propose" {
        parameters.push(ParameterDoc {
            name: "Prefer",
            place: "header",
            required: false,
            description: "`wait=30` waits that many seconds, at most 60, for the call that policy allows; with \
                          `wait-for-people` also for people (RFC 7240).",
            explode: false,
            schema: schemars::json_schema!({ "type": "string" }),
        });
    }
    let body = |shape: super::routes::Shape, generator: &mut SchemaGenerator| RequestBody {
        required: true,
        content: BTreeMap::from([("application/json", Content { schema: shape(generator) })]),
    };
    Operation {
        id: route.id,
        summary: route.summary,
        access: route.access.name(),
        security: schemes.iter().map(|name| BTreeMap::from([(*name, Vec::new())])).collect(),
        parameters,
        request_body: route.body.map(|shape| body(shape, generator)),
        responses: responses(route, generator),
    }
}

fn parameter(parameter: &Parameter) -> ParameterDoc {
    ParameterDoc {
        name: parameter.name,
        place: "query",
        required: false,
        description: parameter.about,
        explode: false,
        schema: parameter.kind.schema(),
    }
}

fn responses(route: &Route, generator: &mut SchemaGenerator) -> BTreeMap<String, Response> {
    let of = |description: &str, kind, schema| Response {
        description: description.to_owned(),
        content: BTreeMap::from([(kind, Content { schema })]),
    };
    let text = || schemars::json_schema!({ "type": "string" });
    let json = "application/json";
    let mut responses = problems(route, generator);
    let done = match route.success {
        Success::Json(shape) => of("Done.", json, shape(generator)),
        Success::Proposed(shape) => {
            let waiting = of("Not done yet; `Location` says where to ask.", json, shape(generator));
            responses.insert("202".to_owned(), waiting);
            of("Done, or a dry run.", json, shape(generator))
        }
        Success::Readiness(shape) => {
            responses.insert("503".to_owned(), of("Nothing is let through.", json, shape(generator)));
            of("What is allowed runs.", json, shape(generator))
        }
        Success::Document => of("Done.", json, schemars::json_schema!({ "type": "object" })),
        Success::Text => of("Done.", "text/plain", text()),
        Success::Events(shape) => {
            // Referred to by no response, so that clients have the type of an event's data.
            drop(shape(generator));
            of("Events named `proposal`; `data` is an AgentProposal.", "text/event-stream", text())
        }
    };
    responses.insert("200".to_owned(), done);
    responses
}

/// A problem for each status that a code of this gate comes with.
fn problems(route: &Route, generator: &mut SchemaGenerator) -> BTreeMap<String, Response> {
    let mut by_status: BTreeMap<u16, Vec<&str>> = BTreeMap::new();
    let outcomes = if route.id == "propose" { of_outcomes() } else { Vec::new() };
    let codes = of_refusals().into_iter().chain(of_surface().iter().copied()).chain(outcomes);
    for ErrorCode { code, status, .. } in codes {
        by_status.entry(status).or_default().push(code);
    }
    let response = |description: String, generator: &mut SchemaGenerator| Response {
        description,
        content: BTreeMap::from([(
            "application/problem+json",
            Content { schema: generator.subschema_for::<ProblemBody>() },
        )]),
    };
    let mut responses: BTreeMap<String, Response> = by_status
        .into_iter()
        .map(|(status, codes)| {
            (status.to_string(), response(format!("A problem: `{}`.", codes.join("`, `")), generator))
        })
        .collect();
    responses.insert("default".to_owned(), response("A problem; see `code`.".to_owned(), generator));
    responses
}
