use std::num::NonZero;

use crate::InvalidInput;

/// A page of a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Page {
    number: NonZero<u32>,
    size: NonZero<u32>,
}

/// One page's worth of a list, and how much there is of it in all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Paged<T> {
    /// What is on the page; nothing on one past the end.
    pub on_page: Vec<T>,
    /// How many there are on all pages.
    pub items: u64,
}

impl Page {
    /// The largest page.
    pub const SIZE_AT_MOST: u32 = 100;
    /// The size of a page when nobody asks for another.
    pub const DEFAULT_SIZE: u32 = 20;

    /// Page `number`, from 1, in pages of `size`, from 1 to 100.
    ///
    /// # Errors
    /// [`InvalidInput::Page`] when it is none of those.
    pub fn new(number: i64, size: i64) -> Result<Self, InvalidInput> {
        let natural = |n: i64| u32::try_from(n).ok().and_then(NonZero::new).ok_or(InvalidInput::Page);
        let (number, size) = (natural(number)?, natural(size)?);
        if size.get() <= Self::SIZE_AT_MOST { Ok(Self { number, size }) } else { Err(InvalidInput::Page) }
    }

    /// How many items stand on pages before this one.
    pub fn offset(self) -> u64 {
        u64::from(self.number.get() - 1) * u64::from(self.size.get())
    }

    /// How many items the page has room for.
    pub fn size(self) -> u32 {
        self.size.get()
    }

    /// How many pages `items` fill.
    pub fn pages_of(self, items: u64) -> u64 {
        items.div_ceil(u64::from(self.size.get()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_are_counted_from_one_and_hold_up_to_a_hundred() {
        let third = Page::new(3, 20).unwrap();
        assert_eq!((third.offset(), third.size()), (40, 20));
        assert_eq!([0, 1, 20, 21].map(|items| third.pages_of(items)), [0, 1, 1, 2]);
        assert!(Page::new(i64::from(u32::MAX), 100).is_ok());
        for (number, size) in [(0, 20), (-1, 20), (1, 0), (1, 101), (1, -1), (i64::MAX, 1)] {
            assert_eq!(Page::new(number, size), Err(InvalidInput::Page), "{number} {size}");
        }
    }
}
