use std::net::IpAddr;

use actix_web::{HttpResponse, web};
use auth_domain::{Event, Page, UserId};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::{
    answer::ApiResult,
    extract::{Administering, Id, Query},
    service::Service,
};

/// Which events are wanted.
#[derive(Debug, Deserialize)]
pub(crate) struct Wanted {
    limit: Option<i64>,
    before: Option<Id>,
    user: Option<Id>,
}

/// One line of the audit log.
#[derive(Serialize, ToSchema)]
#[schema(as = AdminEvent)]
pub(crate) struct Listed<'a> {
    id: Uuid,
    /// When it happened, in Unix seconds.
    #[schema(example = 1_795_478_400)]
    at: i64,
    #[schema(example = "session.signed-in")]
    kind: &'static str,
    /// `success` or `failure`.
    #[schema(example = "success")]
    outcome: &'static str,
    /// The user who did it, if known.
    #[serde(rename = "actorID")]
    actor_id: Option<Uuid>,
    /// The user whom it is about.
    #[serde(rename = "subjectID")]
    subject_id: Option<Uuid>,
    /// The session or key pair that it was done with, or that came of it.
    #[serde(rename = "credentialID")]
    credential_id: Option<Uuid>,
    /// The client's address; null on the command line.
    #[schema(value_type = Option<String>, example = "203.0.113.7")]
    ip: Option<IpAddr>,
    /// Such as a role, or the id of what it is about.
    #[schema(example = "")]
    detail: &'a str,
}

impl<'a> From<&'a Event> for Listed<'a> {
    fn from(event: &'a Event) -> Self {
        Self {
            id: event.id.uuid(),
            at: event.at.unix_seconds(),
            kind: event.kind.as_str(),
            outcome: event.outcome.as_str(),
            actor_id: event.actor.map(UserId::uuid),
            subject_id: event.subject.map(UserId::uuid),
            credential_id: event.credential,
            ip: event.ip,
            detail: &event.detail,
        }
    }
}

/// Events, newest first.
#[derive(Serialize, ToSchema)]
#[schema(as = AdminEvents)]
pub(crate) struct Events<'a> {
    events: Vec<Listed<'a>>,
}

/// Read the audit log, newest first.
#[utoipa::path(get, path = "/admin/events", tag = "Administration", operation_id = "adminListEvents",
    params(("limit" = Option<i64>, Query, minimum = 1, maximum = 100, description = "How many; 20 if absent."),
        ("before" = Option<Uuid>, Query, description = "Only those older than the event with this id."),
        ("user" = Option<Uuid>, Query, description = "Only those that this user did, or that are about them.")),
    security(("bearer" = []), ("apiKey" = [], "apiSecret" = [])),
    responses((status = 200, description = "The events; none past the end.", body = Events), (status = 403)))]
pub(crate) async fn list(service: web::Data<Service>, request: Administering<Query<Wanted>>) -> ApiResult {
    let Query(Wanted { limit, before, user }) = &request.input;
    let limit = limit.unwrap_or(i64::from(Page::DEFAULT_SIZE));
    let (user, before) = (user.map(|id| id.0.into()), before.map(|id| id.0.into()));
    let events = service.auth.list_events(&request.administrator, user, before, limit).await?;
    Ok(HttpResponse::Ok().json(Events { events: events.iter().map(Listed::from).collect() }))
}
