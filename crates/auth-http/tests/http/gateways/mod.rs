//! Reverse proxies that ask the service on every request, configured as `docs/gateway.md` says.
//!
//! Every sentence is a test for each of them, with the real service, the real proxy and an upstream on loopback.

mod failing;
mod guarded;
mod guide;
mod passing;
mod proxy;
mod upstream;
mod walk;

/// Makes tests of sentences, one for each proxy.
macro_rules! sentences {
    ($($name:ident),+ $(,)?) => {
        mod by_nginx {
            $(#[test] fn $name() { super::$name(crate::gateways::proxy::Kind::Nginx); })+
        }
        mod by_caddy {
            $(#[test] fn $name() { super::$name(crate::gateways::proxy::Kind::Caddy); })+
        }
        mod by_haproxy {
            $(#[test] fn $name() { super::$name(crate::gateways::proxy::Kind::HaProxy); })+
        }
    };
}
use sentences;
