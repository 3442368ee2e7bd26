use ring::aead::{Aad, NONCE_LEN, Nonce};
use zeroize::Zeroizing;

use super::ServerKeys;
use crate::{Entropy, EntropyError, MailId, SealedMail};

/// Encrypts a queued mail under the signing key (AES-256-GCM), bound to the mail's id.
///
/// The nonce is random and stands in front. NIST SP 800-38D §8.3 allows 2^32 such mails under one key.
pub(crate) fn seal(
    plain: &[u8],
    mail: MailId,
    keys: &ServerKeys,
    entropy: &dyn Entropy,
) -> Result<SealedMail, EntropyError> {
    let keys = keys.list();
    let key = keys.signing();
    let mut nonce = [0; NONCE_LEN];
    entropy.fill(&mut nonce)?;
    let mut text = Zeroizing::new(plain.to_vec());
    let aad = Aad::from(mail.uuid().into_bytes());
    let Ok(tag) = key.mail().seal_in_place_separate_tag(Nonce::assume_unique_for_key(nonce), aad, &mut text) else {
        unreachable!("sealing fails only for texts of more than 64 GiB");
    };
    Ok(SealedMail { key_id: key.id(), bytes: [nonce.as_slice(), text.as_slice(), tag.as_ref()].concat() })
}

/// Decrypts a queued mail; `None` when its key is gone, or when it is not what was sealed under that id.
pub(crate) fn open(sealed: &SealedMail, mail: MailId, keys: &ServerKeys) -> Option<Zeroizing<Vec<u8>>> {
    let keys = keys.list();
    let key = keys.all().find(|key| key.id() == sealed.key_id)?;
    let (nonce, rest) = sealed.bytes.split_at_checked(NONCE_LEN)?;
    let nonce = Nonce::try_assume_unique_for_key(nonce).ok()?;
    let mut text = Zeroizing::new(rest.to_vec());
    let length = key.mail().open_in_place(nonce, Aad::from(mail.uuid().into_bytes()), &mut text).ok()?.len();
    text.truncate(length);
    Some(text)
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::system::SystemEntropy;

    #[test]
    fn a_sealed_mail_opens_under_its_own_id_and_key_only() {
        let keys = ServerKeys::new([[1; 32]]).unwrap();
        let (id, other) = (MailId::from(Uuid::from_u128(1)), MailId::from(Uuid::from_u128(2)));
        let sealed = seal(b"code 123456", id, &keys, &SystemEntropy).unwrap();

        assert!(!sealed.bytes.windows(6).any(|window| window == b"123456"));
        assert_eq!(open(&sealed, id, &keys).unwrap().as_slice(), b"code 123456");
        assert!(open(&sealed, other, &keys).is_none());
        assert!(open(&sealed, id, &ServerKeys::new([[2; 32]]).unwrap()).is_none());

        let mut damaged = sealed.clone();
        damaged.bytes[NONCE_LEN] ^= 1;
        assert!(open(&damaged, id, &keys).is_none());
    }

    #[test]
    fn mails_sealed_before_a_rotation_still_open() {
        let id = MailId::from(Uuid::from_u128(1));
        let sealed = seal(b"x", id, &ServerKeys::new([[1; 32]]).unwrap(), &SystemEntropy).unwrap();
        assert!(open(&sealed, id, &ServerKeys::new([[2; 32], [1; 32]]).unwrap()).is_some());
    }
}
