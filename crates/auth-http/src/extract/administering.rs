use actix_web::{FromRequest, HttpRequest, dev::Payload};
use auth_domain::{Administrator, Caller, Client, Language};

use super::{Extracting, Sender, caller::Credential, caller::presented, sender::sender, service};

/// A request by an administrator, and then an input of type `T`.
///
/// The input is not looked at before the credential has been found valid and to carry the role.
pub(crate) struct Administering<T = ()> {
    pub administrator: Administrator,
    pub client: Client,
    pub language: Language,
    pub input: T,
}

impl<T: FromRequest + 'static> FromRequest for Administering<T> {
    type Error = actix_web::Error;
    type Future = Extracting<Self, Self::Error>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let (request, mut payload) = (request.clone(), payload.take());
        Box::pin(async move {
            let auth = &service(&request)?.auth;
            let caller = Caller::check(presented(&request)?, auth).await?;
            let Sender { client, language } = sender(&request)?;
            let administrator = auth.administrator(&caller, &client).map_err(crate::answer::ApiError::from)?;
            let input = T::from_request(&request, &mut payload).await.map_err(Into::into)?;
            Ok(Self { administrator, client, language, input })
        })
    }
}
