//! The decisions, each a pure function of what was loaded and what time it is.
//!
//! Facts call those that must hold while nothing else moves; use cases call the others. No store calls one, or says one again, but
//! where it goes through a table: what is to be purged.

mod administration;
mod audit;
mod codes;
mod delivery;
mod emails;
mod guessing;
mod key_pairs;
mod known_networks;
mod registration;
mod server_keys;
mod sessions;
mod throttling;
mod usage;

pub use administration::{ChangeVerdict, holds, is_administrator, judge_access, judge_change};
pub use audit::{
    event_of_disabled_account, event_of_redeeming, event_of_refusal, event_of_refused_guess, event_of_wrong_guess,
};
pub use codes::{Judgement, judge, superseded};
pub use delivery::{
    GIVE_UP_NOTICES_AFTER, LEASE, PUT_OFF_AT_MOST, SETTLED_MAILS_KEPT, is_worth_sending, wait_before_retry,
};
pub use emails::{Addition, UNVERIFIED_AT_MOST, is_led_to, judge_addition, judge_preference, judge_removal};
pub use guessing::{
    DAY, Guessing, REMEMBERED_FOR, WITHOUT_WAIT, after_failure, after_success, failures_are_over, is_to_be_told,
    judge_guessing, refused_guess_is_to_be_told,
};
pub use key_pairs::{judge_narrowing, judge_roles, key_pair_is_accepted, key_pair_stands};
pub use known_networks::{KNOWN_NETWORKS_AT_MOST, forgotten_networks, network_is_known};
pub use registration::{AliasHolder, AliasVerdict, judge_alias};
pub use server_keys::{KeyStays, judge_key_removal, keys_in_use};
pub use sessions::{extended_expiry, judge_freshness, session_is_accepted};
pub use throttling::{Asking, Charge, HeldBack, HeldBackBy, judge_asking, judge_throttle};
pub use usage::{USES_APART, use_is_worth_noting};
