use std::sync::Arc;

use actix_web::{FromRequest, HttpRequest, dev::Payload};
use auth_cache::Remembered;

use super::{
    Extracting,
    caller::{Presented, presented, takes},
    service,
};
use crate::{answer::ApiError, routes::Checked};

/// What is answered to the bearer that the request is signed with.
pub(crate) struct CheckedSession(pub Arc<Remembered<Checked>>);

/// What is answered to the key pair that the request is signed with.
pub(crate) struct CheckedKeyPair(pub Arc<Remembered<Checked>>);

/// The same for either, and then an input of type `T`, which is not looked at before the credential was found valid.
pub(crate) struct CheckedCaller<T> {
    pub checked: Arc<Remembered<Checked>>,
    pub input: T,
}

impl FromRequest for CheckedSession {
    type Error = ApiError;
    type Future = Extracting<Self>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let request = request.clone();
        Box::pin(async move {
            match presented(&request)? {
                Presented::Bearer(bearer) => Ok(Self(service(&request)?.checks.check_session(bearer).await?)),
                other => Err(takes::a_bearer(&other)),
            }
        })
    }
}

impl FromRequest for CheckedKeyPair {
    type Error = ApiError;
    type Future = Extracting<Self>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let request = request.clone();
        Box::pin(async move {
            match presented(&request)? {
                Presented::KeyPair { key, secret } => {
                    Ok(Self(service(&request)?.checks.check_key_pair(key, secret).await?))
                }
                other => Err(takes::a_key_pair(&other)),
            }
        })
    }
}

impl<T: FromRequest + 'static> FromRequest for CheckedCaller<T> {
    type Error = actix_web::Error;
    type Future = Extracting<Self, Self::Error>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let (request, mut payload) = (request.clone(), payload.take());
        Box::pin(async move {
            let checks = &service(&request)?.checks;
            let checked = match presented(&request)? {
                Presented::Bearer(bearer) => checks.check_session(bearer).await,
                Presented::KeyPair { key, secret } => checks.check_key_pair(key, secret).await,
                Presented::Nothing => return Err(takes::either().into()),
            };
            let checked = checked.map_err(ApiError::from)?;
            let input = T::from_request(&request, &mut payload).await.map_err(Into::into)?;
            Ok(Self { checked, input })
        })
    }
}
