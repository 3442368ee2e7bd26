//! The API's description, made from the handlers' own: OpenAPI 3.1 with every error and both kinds of credential.

mod bodies;
mod links;
mod problems;

use std::borrow::Cow;

use auth_domain::SessionKinds;
use utoipa::{
    OpenApi, PartialSchema, ToSchema,
    openapi::{
        Info, License, Object, ObjectBuilder, Ref, RefOr, Schema, Tag,
        path::Operation,
        schema::{OneOfBuilder, SchemaType, Type},
        security::{ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityScheme},
    },
};

use crate::routes;

/// The description as JSON text, for a service that offers these kinds of session.
pub fn description(kinds: &SessionKinds) -> String {
    // A description is made of text and numbers: it always serialises.
    document(kinds).to_pretty_json().unwrap_or_default()
}

fn document(kinds: &SessionKinds) -> utoipa::openapi::OpenApi {
    let mut document = routes::Outside::openapi().nest(routes::BASE, routes::Public::openapi());
    document.info = Info::new("Auth API", env!("CARGO_PKG_VERSION"));
    document.info.description = Some(include_str!("introduction.md").to_owned());
    let mut license = License::new("MIT OR Apache-2.0");
    license.identifier = Some("MIT OR Apache-2.0".to_owned());
    document.info.license = Some(license);
    document.tags = Some(
        ["Users", "Sessions", "E-mails", "Key pairs", "Gateway", "Administration", "Operations"]
            .into_iter()
            .map(Tag::new)
            .collect(),
    );

    let mut components = document.components.take().unwrap_or_default();
    components.schemas.insert("SessionKind".to_owned(), kind_schema(kinds).into());
    components.responses.extend(problems::all());
    for (name, scheme) in credentials() {
        components.add_security_scheme(name, scheme);
    }
    let schemas = components.schemas.clone();
    document.components = Some(components);
    for item in document.paths.paths.values_mut() {
        for operation in [&mut item.get, &mut item.put, &mut item.post, &mut item.delete].into_iter().flatten() {
            problems::complete(operation);
            links::complete(operation);
            bodies::complete(operation, &schemas);
        }
    }
    document
}

fn credentials() -> [(&'static str, SecurityScheme); 3] {
    let header = |name: &str, description: &str| {
        SecurityScheme::ApiKey(ApiKey::Header(ApiKeyValue::with_description(name, description)))
    };
    let bearer = HttpBuilder::new()
        .scheme(HttpAuthScheme::Bearer)
        .description(Some("The bearer of a session whose code was redeemed."));
    [
        ("bearer", SecurityScheme::Http(bearer.build())),
        ("apiKey", header("api-key", "The public half of a key pair; goes with `api-secret`.")),
        ("apiSecret", header("api-secret", "The secret half of a key pair; goes with `api-key`.")),
    ]
}

/// An address, wherever one is sent.
pub(crate) struct EmailAddressText;

impl ToSchema for EmailAddressText {
    fn name() -> Cow<'static, str> {
        "EmailAddress".into()
    }
}

impl PartialSchema for EmailAddressText {
    /// Narrower than what the service takes, which is more than a pattern can say: letters of all scripts, and lengths in
    /// octets.
    fn schema() -> RefOr<Schema> {
        ObjectBuilder::new()
            .schema_type(SchemaType::Type(Type::String))
            .description(Some("A valid e-mail address of at most 254 characters."))
            .max_length(Some(254))
            .pattern(Some(r"^[A-Za-z0-9_+-]{1,32}@([a-z][a-z0-9]{0,20}\.){1,3}[a-z]{2,10}$"))
            .examples([serde_json::json!("ada@example.org")])
            .into()
    }
}

/// A role, where several are sent.
pub(crate) struct RoleNameText;

impl ToSchema for RoleNameText {
    fn name() -> Cow<'static, str> {
        "RoleName".into()
    }
}

impl PartialSchema for RoleNameText {
    fn schema() -> RefOr<Schema> {
        ObjectBuilder::new()
            .schema_type(SchemaType::Type(Type::String))
            .description(Some("What somebody may do. Which names there are, the operator decides."))
            .pattern(Some("^[a-z0-9_.-]{1,64}$"))
            .examples([serde_json::json!("user")])
            .into()
    }
}

/// A kind of session, wherever one may be sent.
pub(crate) fn session_kind() -> RefOr<Schema> {
    let absent = ObjectBuilder::new().schema_type(SchemaType::Type(Type::Null));
    OneOfBuilder::new().item(absent).item(Ref::from_schema_name("SessionKind")).into()
}

fn kind_schema(kinds: &SessionKinds) -> Object {
    ObjectBuilder::new()
        .schema_type(SchemaType::Type(Type::String))
        .description(Some("A kind of session that the service offers: it decides how long the session lives."))
        .enum_values(Some(kinds.names().collect::<Vec<_>>()))
        .build()
}

/// Whether an operation takes a credential, needed or not.
fn is_signed(operation: &Operation) -> bool {
    operation.security.as_ref().is_some_and(|security| !security.is_empty())
}
