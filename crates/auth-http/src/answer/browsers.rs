//! What browsers are told to do with answers, none of which is meant to be a page but the one at `/docs`.

use actix_web::http::header::{self, HeaderName, HeaderValue};

/// With every answer: it is what its type says, and no script or style sheet that was called something else.
pub(super) static TO_SCRIPTS: [(HeaderName, HeaderValue); 1] =
    [(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"))];

/// With every answer that a browser can open: should something in it be taken for a page after all, that page loads nothing,
/// runs nothing, is shown in no frame, and tells nobody where its reader came from.
pub(super) static TO_PAGES: [(HeaderName, HeaderValue); 2] = [
    (
        header::CONTENT_SECURITY_POLICY,
        HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"),
    ),
    (header::REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
];
