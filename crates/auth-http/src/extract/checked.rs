use std::{
    future::{Ready, ready},
    sync::Arc,
};

use actix_web::{FromRequest, HttpRequest, dev::Payload};
use auth_cache::{Recalled, Remembered};
use auth_domain::RoleName;
use futures_util::future::Either;

use super::{
    Extracting,
    caller::{Presented, presented, takes},
    query::roles_asked,
    service,
};
use crate::{answer::ApiError, routes::Checked};

/// What is answered to whoever holds a credential.
type Found = Arc<Remembered<Checked>>;

/// A check that nearly always is answered from memory, with nothing to wait for.
type Checking<T> = Either<Ready<Result<T, ApiError>>, Extracting<T>>;

/// What is answered to the bearer that the request is signed with.
pub(crate) struct CheckedSession(pub Found);

/// What is answered to the key pair that the request is signed with.
pub(crate) struct CheckedKeyPair(pub Found);

/// The same for either, and then the roles that are asked for, which are not looked at before the credential was found valid.
pub(crate) struct CheckedCaller {
    pub checked: Found,
    pub asked: Vec<RoleName>,
}

impl FromRequest for CheckedSession {
    type Error = ApiError;
    type Future = Checking<Self>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        check(
            request,
            |_, found| Ok(Self(found)),
            |presented| match presented {
                Presented::Bearer(_) => Ok(()),
                other => Err(takes::a_bearer(other)),
            },
        )
    }
}

impl FromRequest for CheckedKeyPair {
    type Error = ApiError;
    type Future = Checking<Self>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        check(
            request,
            |_, found| Ok(Self(found)),
            |presented| match presented {
                Presented::KeyPair { .. } => Ok(()),
                other => Err(takes::a_key_pair(other)),
            },
        )
    }
}

impl FromRequest for CheckedCaller {
    type Error = ApiError;
    type Future = Checking<Self>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let with_roles =
            |request: &HttpRequest, checked| roles_asked(request.query_string()).map(|asked| Self { checked, asked });
        check(request, with_roles, |_either| Ok(()))
    }
}

/// Checks the credential of a `request`, if it is `taken` here, and makes something `of` what was found.
fn check<T: 'static>(
    request: &HttpRequest,
    of: fn(&HttpRequest, Found) -> Result<T, ApiError>,
    taken: fn(&Presented<'_>) -> Result<(), ApiError>,
) -> Checking<T> {
    match recall(request, taken) {
        Ok(Recalled::Known(found)) => Either::Left(ready(of(request, found))),
        Ok(Recalled::Unknown(recognised)) => {
            let request = request.clone();
            Either::Right(Box::pin(async move {
                let found = service(&request)?.checks.look_up(recognised).await?;
                of(&request, found)
            }))
        }
        Err(refused) => Either::Left(ready(Err(refused))),
    }
}

fn recall(
    request: &HttpRequest,
    taken: fn(&Presented<'_>) -> Result<(), ApiError>,
) -> Result<Recalled<Checked>, ApiError> {
    let (presented, checks) = (presented(request)?, &service(request)?.checks);
    taken(&presented)?;
    Ok(match presented {
        Presented::Bearer(bearer) => checks.recall_session(bearer)?,
        Presented::KeyPair { key, secret } => checks.recall_key_pair(key, secret)?,
        Presented::Nothing => return Err(takes::either()),
    })
}
