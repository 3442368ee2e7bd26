//! What administrators do, a file per subject: paths below `/admin`.

pub(super) mod emails;
pub(super) mod events;
pub(crate) mod key_pairs;
pub(super) mod memberships;
mod new_user;
pub(crate) mod sessions;
pub(crate) mod users;

use serde::Deserialize;

use super::endpoint::Endpoint;
use crate::extract::Id;

pub(super) fn endpoints() -> Vec<Endpoint> {
    vec![
        Endpoint::at("/admin/user").post(users::create),
        Endpoint::at("/admin/users").get(users::list),
        Endpoint::at("/admin/user/{id}").get(users::show).delete(users::delete),
        Endpoint::at("/admin/user/{id}/disable").put(users::disable),
        Endpoint::at("/admin/user/{id}/enable").put(users::enable),
        Endpoint::at("/admin/user/{id}/verify").put(users::verify),
        Endpoint::at("/admin/user/{id}/unverify").put(users::unverify),
        Endpoint::at("/admin/user/{id}/roles").get(memberships::roles).post(memberships::grant_role),
        Endpoint::at("/admin/user/{id}/roles/{role}").delete(memberships::revoke_role),
        Endpoint::at("/admin/user/{id}/groups").get(memberships::groups).post(memberships::grant_group),
        Endpoint::at("/admin/user/{id}/groups/{group}").delete(memberships::revoke_group),
        Endpoint::at("/admin/user/{id}/session").post(sessions::give),
        Endpoint::at("/admin/sessions").get(sessions::list),
        Endpoint::at("/admin/session/{id}/verify").put(sessions::verify),
        Endpoint::at("/admin/session/{id}").delete(sessions::close),
        Endpoint::at("/admin/user/{id}/keypair").post(key_pairs::give),
        Endpoint::at("/admin/keypairs").get(key_pairs::list),
        Endpoint::at("/admin/keypair/{id}/verify").put(key_pairs::verify),
        Endpoint::at("/admin/keypair/{id}").delete(key_pairs::delete),
        Endpoint::at("/admin/user/{id}/email").post(emails::give),
        Endpoint::at("/admin/email/preferred").put(emails::prefer),
        Endpoint::at("/admin/email/{id}/verify").put(emails::verify),
        Endpoint::at("/admin/email/{id}").delete(emails::remove),
        Endpoint::at("/admin/events").get(events::list),
    ]
}

/// Whose things are wanted; everybody's, if nobody is named.
#[derive(Debug, Deserialize)]
pub(crate) struct Of {
    user: Option<Id>,
}
