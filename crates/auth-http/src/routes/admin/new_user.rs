use std::borrow::Cow;

use auth_domain::{AccountWish, Alias, EmailAddress, FullName, PortalUrl, RoleName, Welcome};
use serde::Deserialize;
use serde_json::{Value, json};
use utoipa::{
    PartialSchema, ToSchema,
    openapi::{
        RefOr, Schema,
        schema::{AllOfBuilder, AnyOfBuilder, ObjectBuilder, SchemaType, Type},
    },
};

use crate::{
    answer::ApiError,
    openapi::{EmailAddressText, RoleNameText},
};

/// Who gets an account.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct NewUser {
    #[schema(value_type = EmailAddressText)]
    email: String,
    #[schema(
        min_length = 1,
        max_length = 128,
        pattern = r"^[^\u0000-\u001f\u007f-\u009f]+$",
        example = "Grace Hopper"
    )]
    full_name: String,
    #[schema(min_length = 1, max_length = 32, pattern = "^[A-Za-z0-9._-]+$", example = "grace")]
    alias: String,
    /// What they may do; what new users may, if absent.
    #[schema(value_type = Option<Vec<RoleNameText>>, example = json!(["user"]))]
    roles: Option<Vec<String>>,
    /// Whether they are invited by mail, rather than given a key pair.
    #[schema(example = true)]
    notify: Option<bool>,
    /// The page that the invitation links to; nothing, without one.
    #[serde(rename = "portalURL")]
    #[schema(max_length = 512, pattern = "^https?://[a-z][a-z.-]*(/[a-z/.-]*)?$", example = "https://app.example.org")]
    portal_url: Option<String>,
}

impl NewUser {
    /// What is wished for.
    ///
    /// # Errors
    /// 400 when a field does not parse, and when there is no page for an invitation.
    pub(super) fn wish(&self) -> Result<AccountWish, ApiError> {
        let roles = self.roles.as_ref().map(|roles| roles.iter().map(|role| RoleName::parse(role)).collect());
        let welcome = match (self.notify.unwrap_or(false), &self.portal_url) {
            (true, Some(portal)) => Welcome::Invitation(PortalUrl::parse(portal)?),
            (true, None) => return Err(ApiError::bad_request("an invitation takes a portalURL")),
            (false, _) => Welcome::KeyPair,
        };
        Ok(AccountWish {
            email: EmailAddress::parse(&self.email)?,
            full_name: FullName::parse(&self.full_name)?,
            alias: Alias::parse(&self.alias)?,
            roles: roles.transpose()?,
            welcome,
        })
    }
}

/// A [`NewUser`] as the world is told of it: with what no field says by itself, that an invitation takes a page.
pub(crate) struct DescribedNewUser;

impl ToSchema for DescribedNewUser {
    fn name() -> Cow<'static, str> {
        "AdminNewUser".into()
    }

    fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
        NewUser::schemas(schemas);
    }
}

impl PartialSchema for DescribedNewUser {
    fn schema() -> RefOr<Schema> {
        let one_of =
            |values: Vec<Value>| ObjectBuilder::new().schema_type(SchemaType::AnyValue).enum_values(Some(values));
        let uninvited = ObjectBuilder::new().property("notify", one_of(vec![json!(false), json!(null)]));
        let invited = ObjectBuilder::new()
            .property("notify", one_of(vec![json!(true)]))
            .property("portalURL", ObjectBuilder::new().schema_type(SchemaType::Type(Type::String)))
            .required("notify")
            .required("portalURL");
        let either = AnyOfBuilder::new().item(uninvited).item(invited);
        AllOfBuilder::new().item(NewUser::schema()).item(either).into()
    }
}
