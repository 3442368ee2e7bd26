//! Which bodies may be absent.

use std::collections::BTreeMap;

use utoipa::openapi::{Content, Ref, RefOr, Required, Schema, path::Operation};

/// Says of an operation's body that it is not needed, if none of its fields is: an absent one counts as `{}`.
pub(super) fn complete(operation: &mut Operation, schemas: &BTreeMap<String, RefOr<Schema>>) {
    if let Some(RefOr::T(body)) = &mut operation.request_body
        && body.content.values().all(|content| needs_nothing(content, schemas))
    {
        body.required = Some(Required::False);
    }
}

fn needs_nothing(content: &RefOr<Content>, schemas: &BTreeMap<String, RefOr<Schema>>) -> bool {
    let RefOr::T(Content { schema: Some(RefOr::Ref(Ref { ref_location, .. })), .. }) = content else { return false };
    let named = ref_location.strip_prefix("#/components/schemas/").and_then(|name| schemas.get(name));
    matches!(named, Some(RefOr::T(Schema::Object(object))) if object.required.is_empty())
}
