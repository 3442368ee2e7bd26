//! How a request becomes arguments, in the order of the wire contract: credentials, then parameters, then the body.

mod administering;
mod body;
mod caller;
mod checked;
mod client_address;
mod id;
mod path;
mod query;
mod registering;
mod sender;
mod whole;

pub(crate) use administering::Administering;
pub(crate) use body::Body;
pub(crate) use caller::Signed;
pub(crate) use checked::{CheckedCaller, CheckedKeyPair, CheckedSession};
pub use client_address::{ClientAddress, ForwardedHeader};
pub(crate) use id::Id;
pub(crate) use path::{NamedGroup, NamedRole};
pub(crate) use query::{Paging, Query};
pub(crate) use registering::Registering;
pub(crate) use sender::Sender;
pub use sender::language;
pub(crate) use whole::Whole;

use std::{future::Future, pin::Pin};

use actix_web::{HttpRequest, web};

use crate::{answer::ApiError, service::Service};

/// The future of an extractor that waits.
type Extracting<T, E = ApiError> = Pin<Box<dyn Future<Output = Result<T, E>>>>;

fn service(request: &HttpRequest) -> Result<&Service, ApiError> {
    let service = request.app_data::<web::Data<Service>>().map(web::Data::get_ref);
    service.ok_or_else(|| ApiError::new(actix_web::http::StatusCode::INTERNAL_SERVER_ERROR, "internal error"))
}
