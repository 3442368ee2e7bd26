use crate::{Entropy, EntropyError};

const ALPHABET: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// The largest multiple of 62 that a byte can count to: bytes from here on are drawn again, so that every
/// character is equally likely and worth log2(62) = 5.95 bits.
const FAIR: u8 = 248;

fn character(value: u8) -> char {
    char::from(ALPHABET.get(usize::from(value % 62)).copied().unwrap_or(b'0'))
}

/// Appends `count` random characters to `text`.
pub(super) fn push_random(text: &mut String, count: usize, entropy: &dyn Entropy) -> Result<(), EntropyError> {
    let mut missing = count;
    while missing > 0 {
        let mut bytes = zeroize::Zeroizing::new([0; 64]);
        entropy.fill(bytes.as_mut_slice())?;
        for byte in bytes.iter().copied().filter(|byte| *byte < FAIR).take(missing) {
            text.push(character(byte));
            missing -= 1;
        }
    }
    Ok(())
}

/// The first `count` bytes of `tag`, a character each.
///
/// Not uniform (256 is no multiple of 62), which costs a check of 22 characters less than a bit.
pub(super) fn of_tag(tag: &[u8], count: usize) -> impl ExactSizeIterator<Item = char> {
    tag.iter().take(count).map(|byte| character(*byte))
}

/// Whether `text` has nothing but letters and digits.
pub(super) fn is_base62(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_alphanumeric())
}
