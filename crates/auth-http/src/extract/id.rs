use std::future::{Ready, ready};

use actix_web::{FromRequest, HttpRequest, dev::Payload};
use serde::{Deserialize, Deserializer, Serialize, de::Error};
use uuid::Uuid;

use crate::answer::ApiError;

/// The `{id}` of a path, or an id in a query or a body: a UUID in its canonical form, wherever it stands.
#[derive(Debug, Clone, Copy, Serialize)]
pub(crate) struct Id(pub Uuid);

impl FromRequest for Id {
    type Error = ApiError;
    type Future = Ready<Result<Self, ApiError>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let id = request.match_info().get("id").and_then(parse);
        ready(id.map(Self).ok_or_else(|| ApiError::bad_request("the id in the path is not a UUID")))
    }
}

impl<'de> Deserialize<'de> for Id {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        parse(&text).map(Self).ok_or_else(|| D::Error::custom("not a UUID"))
    }
}

/// The other spellings that the parser knows, without hyphens, in braces or as a URN, are refused.
fn parse(text: &str) -> Option<Uuid> {
    if text.len() == uuid::fmt::Hyphenated::LENGTH { Uuid::try_parse(text).ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_canonical_form_is_a_uuid() {
        let canonical = "0194f3a0-7d3b-7c00-8000-000000000001";
        assert_eq!(parse(canonical).unwrap().to_string(), canonical);
        assert!(parse(&canonical.to_uppercase()).is_some());
        assert!(serde_json::from_str::<Id>(&format!("{canonical:?}")).is_ok());
        for other in [
            "",
            "1",
            "0194f3a07d3b7c008000000000000001",
            "{0194f3a0-7d3b-7c00-8000-000000000001}",
            "urn:uuid:0194f3a0-7d3b-7c00-8000-000000000001",
            "0194f3a0-7d3b-7c00-8000-00000000000g",
        ] {
            assert_eq!(parse(other), None, "{other}");
            assert!(serde_json::from_str::<Id>(&format!("{other:?}")).is_err(), "{other}");
        }
    }
}
