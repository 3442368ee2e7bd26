use std::{
    convert::Infallible,
    pin::Pin,
    task::{Context, Poll},
};

use actix_web::{
    body::{BodySize, MessageBody},
    web::Bytes,
};

/// How much of a body is handed over at once, in octets.
const SLICE: usize = 16 * 1024;

/// A large body that is there already, handed over a slice at a time.
///
/// The HTTP library copies what it is handed for each connection. Handed a whole file, it would hold that many copies of it as
/// there are clients that ask for it and are slow to read.
pub(crate) struct Slices(Bytes);

impl Slices {
    /// All of `octets`, which are shared and not copied.
    pub(crate) fn of(octets: Bytes) -> Self {
        Self(octets)
    }
}

impl MessageBody for Slices {
    type Error = Infallible;

    fn size(&self) -> BodySize {
        BodySize::Sized(self.0.len().try_into().unwrap_or(u64::MAX))
    }

    fn poll_next(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Bytes, Infallible>>> {
        let octets = &mut self.0;
        let slice = octets.split_to(octets.len().min(SLICE));
        Poll::Ready((!slice.is_empty()).then_some(Ok(slice)))
    }
}

#[cfg(test)]
mod tests {
    use actix_web::body::to_bytes;

    use super::*;

    #[tokio::test]
    async fn the_slices_are_the_whole() {
        for length in [0, 1, SLICE, SLICE + 1, 5 * SLICE + 7] {
            let whole: Bytes = (0..length).map(|n| n.to_le_bytes()[0]).collect();
            assert_eq!(Slices::of(whole.clone()).size(), BodySize::Sized(length as u64));
            assert_eq!(to_bytes(Slices::of(whole.clone())).await.unwrap(), whole);
        }
    }
}
