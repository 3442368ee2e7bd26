use actix_web::{FromRequest, HttpRequest, dev::Payload};

use super::{Extracting, service};
use crate::answer::ApiError;

/// A request to register, and then an input of type `T`.
///
/// Where registration is closed, the input is not looked at: whether it parses is nobody's concern then.
pub(crate) struct Registering<T>(pub T);

impl<T: FromRequest + 'static> FromRequest for Registering<T> {
    type Error = actix_web::Error;
    type Future = Extracting<Self, Self::Error>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let (request, mut payload) = (request.clone(), payload.take());
        Box::pin(async move {
            service(&request)?.auth.registration_is_open().map_err(ApiError::from)?;
            T::from_request(&request, &mut payload).await.map(Self).map_err(Into::into)
        })
    }
}
