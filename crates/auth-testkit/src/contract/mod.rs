//! What every store must do, as sentences. [`store_contract!`](crate::store_contract) turns them into the tests of an
//! adapter, each on a store of its own:
//!
//! ```ignore
//! struct Subject { /* the store, and what must outlive it */ }
//! impl auth_testkit::contract::Subject for Subject { /* … */ }
//! async fn open() -> Subject { /* an empty store */ }
//! auth_testkit::store_contract!(open);
//! ```

#![expect(missing_docs, reason = "a sentence's name is all there is to say of it")]

mod accounts;
mod audit;
mod codes;
mod emails;
mod guessing;
mod key_pairs;
mod lockouts;
mod outbox;
mod purge;
mod registration;
mod server_keys;
mod sessions;
mod sign_in;
mod supervision;
mod throttles;
mod users;

use std::sync::Arc;

use auth_domain::{
    EventKind, KeyPairId, Outcome, Redeemed, Registration, Session, SessionId, SessionOwner, Store, Timestamp, UserId,
};

pub use accounts::*;
pub use audit::*;
pub use codes::*;
pub use emails::*;
pub use guessing::*;
pub use key_pairs::*;
pub use lockouts::*;
pub use outbox::*;
pub use purge::*;
pub use registration::*;
pub use server_keys::*;
pub use sessions::*;
pub use sign_in::*;
pub use supervision::*;
pub use throttles::*;
pub use users::*;

use crate::samples::{at, decoy_hash, event, registration as sample_registration, right_guess};

/// An empty store to be put to the test.
pub trait Subject: Send + Sync {
    /// The store.
    fn store(&self) -> Arc<dyn Store>;

    /// Disables a user's account, behind the port's back.
    fn disable(&self, user: UserId);
}

macro_rules! sentences {
    ($dollar:tt $($subject:ident: [$($sentence:ident),+ $(,)?]),+ $(,)?) => {
        /// Makes a test of every sentence of the contract. Takes an `async fn() -> impl Subject`.
        #[macro_export]
        macro_rules! store_contract {
            ($dollar open:path) => {
                $(mod $subject {
                    use super::*;
                    $(
                        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                        async fn $sentence() {
                            $dollar crate::contract::$sentence(&$dollar open().await).await;
                        }
                    )+
                })+
            };
        }
    };
}

sentences! { $
    registering: [
        a_registration_is_no_user_until_its_code_is_redeemed,
        every_field_of_a_registration_comes_back,
        the_alias_of_an_account_is_taken_without_regard_to_case,
        a_registration_holds_its_alias_until_its_code_ends,
        a_decoy_registration_holds_its_alias_just_as_long,
        an_exhausted_code_frees_the_alias,
        registering_again_replaces_the_pending_registration_alias_included,
        a_decoy_replaces_a_decoy_for_the_same_address,
        a_registration_of_an_address_that_was_verified_meanwhile_is_stale,
        a_decoy_for_an_address_that_is_free_by_now_is_stale,
        a_taken_alias_is_told_before_anything_of_the_address,
        a_refused_registration_leaves_everything_as_it_was,
        of_ten_who_want_one_alias_at_once_exactly_one_gets_it,
    ],
    signing_in: [
        a_sign_in_opens_a_session_once_its_code_is_redeemed,
        every_field_of_a_session_comes_back,
        a_decoy_is_stored_but_never_found,
        a_sign_in_to_an_address_its_owner_no_longer_has_is_a_decoy,
        the_pending_registration_can_be_completed_by_a_sign_in_code,
        an_ended_registration_is_not_revived_by_a_decoy,
        a_new_code_ends_the_one_from_the_same_network,
        a_stranger_elsewhere_does_not_end_the_owners_code,
        a_sixth_code_ends_the_oldest,
        decoys_supersede_one_another_like_the_real_thing,
    ],
    redeeming: [
        a_spent_code_cannot_be_redeemed_again,
        four_wrong_guesses_leave_one_try,
        five_wrong_guesses_exhaust_a_code,
        an_expired_code_is_refused,
        an_unknown_code_is_refused,
        a_closed_session_takes_its_code_along,
        of_twenty_racing_right_guesses_exactly_one_wins,
        racing_wrong_guesses_share_one_budget,
        the_right_code_of_a_disabled_account_is_used_up_and_says_so,
        a_decoys_code_never_opens_anything,
        no_guess_is_right_at_a_decoys_code,
        of_two_who_await_one_address_the_first_to_verify_wins,
    ],
    guessing: [
        wrong_guesses_at_several_codes_share_waits_that_grow_and_ten_a_day,
        asking_for_new_codes_buys_no_new_budget,
        of_racing_wrong_guesses_at_several_codes_no_more_than_one_budget_is_judged,
        a_guess_that_is_shut_out_costs_a_code_nothing,
        strangers_cannot_shut_out_the_owner_in_a_network_that_is_known,
        what_was_guessed_wrong_in_a_row_shuts_an_address_until_its_owner_succeeds,
        a_success_forgives_strangers_what_was_in_a_row_and_not_their_day,
        an_address_that_nobody_has_is_counted_like_any_other,
        guesses_at_addresses_and_key_pairs_count_for_the_address_they_go_to,
        a_clock_that_steps_back_opens_nothing,
        wrong_guesses_that_cost_no_wait_shut_nothing_when_the_clock_steps_back,
        a_guess_that_is_shut_out_is_about_whoever_owns_the_address,
        an_address_that_no_time_opens_is_worth_asking_about_in_a_day,
        without_limits_nothing_is_counted_but_a_codes_own_tries,
        a_network_is_known_from_a_sign_in_for_as_long_as_it_is_used,
        a_seventeenth_network_takes_the_place_of_the_longest_unused,
        a_registration_knows_no_network_until_it_is_completed,
        guesses_of_strangers_are_requests_of_their_network,
        guesses_that_are_shut_out_are_told_once_a_day,
        wrong_guesses_are_purged_once_they_make_no_difference,
    ],
    being_limited: [
        mails_to_an_address_are_limited_whoever_asks,
        a_network_that_is_known_has_an_allowance_of_mails_of_its_own,
        a_network_is_limited_in_mails_and_requests_whatever_it_asks_about,
        look_ups_of_a_network_are_limited_apart_from_its_other_requests,
        what_is_held_back_by_one_limit_is_charged_by_none,
        what_holds_back_longest_says_until_when,
        what_turns_out_stale_is_charged_nothing,
        what_is_stale_and_over_a_limit_is_held_back_by_the_limit,
        sign_ups_from_a_network_are_limited_and_a_taken_alias_counts_as_one,
        codes_for_addresses_and_key_pairs_are_limited_as_mails,
        of_racing_requests_no_more_than_fit_are_let_through,
        of_racing_requests_about_one_address_no_more_than_fit_are_let_through,
        a_clock_that_is_set_back_holds_nobody_back_until_it_gets_there_again,
        no_code_is_mailed_to_an_address_whose_guesses_are_used_up,
        refused_requests_are_told_once_in_a_while,
        throttles_and_networks_are_purged_once_they_make_no_difference,
    ],
    being_locked_out: [
        an_owner_is_told_once_that_an_address_is_shut,
        a_lockout_that_is_over_is_not_told_and_the_next_one_is,
        an_address_that_nobody_owns_is_shut_and_nobody_told,
        lockouts_are_listed_up_to_a_limit_those_of_known_networks_too,
        lockouts_are_listed_in_an_order,
        unlocking_forgets_all_wrong_guesses_and_is_told,
        an_address_that_nobody_owns_is_unlocked_too,
        deleting_a_user_makes_strangers_of_their_networks,
    ],
    owning_addresses: [
        every_field_of_an_address_comes_back_oldest_first,
        an_added_address_signs_in_once_its_code_is_redeemed,
        a_sign_in_leads_to_who_owns_an_address_before_who_registers_with_it,
        a_sign_in_to_an_address_that_was_only_added_is_a_decoy,
        an_addition_to_addresses_that_have_changed_is_stale,
        an_addition_that_misjudged_a_foreign_owner_is_stale,
        a_foreign_address_stands_unverified_and_never_verifies,
        of_three_who_wait_for_one_address_the_first_to_verify_wins,
        of_two_accounts_racing_to_verify_one_address_exactly_one_gets_it,
        a_code_is_refused_to_anybody_but_the_owner_and_not_used_up,
        a_code_opens_nothing_but_what_it_is_for,
        a_new_code_for_an_address_ends_the_older_one_and_no_sign_in,
        a_new_code_for_an_address_that_is_verified_gone_or_foreign_by_now_is_stale,
        preferring_an_address_leaves_exactly_one_preferred,
        removing_an_address_takes_its_codes_along_and_leaves_sessions_alone,
        an_account_that_is_disabled_verifies_nothing,
        an_added_address_holds_no_alias_and_starts_no_registration,
    ],
    owning_key_pairs: [
        every_field_of_a_key_pair_comes_back,
        a_key_pair_is_verified_by_its_code,
        an_unknown_secret_finds_no_key_pair,
        a_key_pair_that_is_not_verified_in_time_disappears,
        a_key_pair_ends_with_its_time,
        a_key_pair_is_deleted_by_its_owner_only,
        a_key_pair_whose_code_would_go_to_a_lost_address_is_stale,
        removing_the_address_that_a_keys_code_went_to_ends_the_code,
        deleting_a_user_takes_addresses_and_key_pairs_along,
        a_disabled_owner_verifies_no_key_pair,
        a_key_pairs_usage_moves_forward_only,
    ],
    using_sessions: [
        only_live_sessions_are_listed_newest_first,
        extending_moves_the_end_and_never_backwards,
        an_ended_session_cannot_be_extended,
        a_session_is_closed_by_its_owner_only,
        an_expired_session_cannot_be_closed,
        closing_the_others_counts_the_live_and_ends_the_pending,
        usage_moves_forward_only_and_ignores_what_is_gone,
    ],
    deleting: [
        deleting_a_user_takes_everything_along,
        deleting_a_user_twice_is_stale,
        a_deleted_users_address_and_alias_are_free_again,
    ],
    administering: [
        every_field_of_an_account_comes_back,
        an_address_that_is_refused_by_now_is_read_where_it_is_stored,
        an_address_that_an_administrator_gave_signs_in_and_is_proved_by_that,
        an_account_is_not_made_over_another,
        an_account_replaces_a_registration_for_its_address,
        accounts_are_listed_in_pages_oldest_first,
        accounts_are_filtered_by_role_and_by_whether_they_are_enabled,
        roles_and_groups_are_given_and_taken_and_kept_in_order,
        disabling_or_unverifying_ends_sessions_and_key_pairs_and_is_undone_without_them,
        a_user_who_was_unverified_is_verified_by_the_next_code,
        the_last_administrator_cannot_be_lost,
        of_administrators_who_remove_each_other_at_once_one_is_left,
    ],
    supervising: [
        sessions_of_accounts_are_listed_in_pages_newest_first_and_decoys_never,
        a_session_that_is_given_is_live_at_once,
        a_waiting_session_is_verified_and_any_session_closed_whosever_it_is,
        all_sessions_of_a_user_are_closed_at_once,
        key_pairs_are_listed_in_pages_verified_and_deleted_whosever_they_are,
        an_address_is_vouched_for_only_while_nobody_else_has_it,
        an_unverified_address_of_the_account_itself_can_be_vouched_for,
        an_address_is_verified_without_a_code,
        usage_of_a_given_session_is_recorded,
    ],
    auditing: [
        a_fact_that_happens_is_told_and_one_that_does_not_is_not,
        verifying_or_giving_what_is_so_already_is_acknowledged_and_leaves_nothing,
        all_that_an_account_is_made_with_is_told_or_nothing,
        every_field_of_an_event_comes_back,
        signing_in_and_failing_to_are_told_and_garbage_is_not,
        a_wrong_guess_at_a_decoy_registration_is_told_about_nobody,
        closing_all_sessions_is_told_exactly_if_one_of_them_was_live,
        a_decoy_registration_leaves_no_more_trace_than_a_real_one,
        events_outlive_whom_they_concern,
        events_are_listed_newest_first_and_from_any_of_them_on,
        old_events_are_purged,
    ],
    mailing: [
        a_claimed_mail_is_nobody_elses_until_its_lease_ends,
        only_the_latest_attempt_settles_a_mail,
        codes_go_before_notices_and_decoys,
        codes_can_be_claimed_without_the_others,
        a_deferred_mail_comes_back_when_it_is_due,
        a_mail_that_was_put_off_under_a_clock_that_was_set_back_is_due_at_once,
        no_more_is_claimed_than_asked_for_of_what_is_due_and_what_was_put_off_together,
        a_delivered_mail_does_not_come_back,
        an_abandoned_mail_does_not_come_back,
        delivery_starts_the_codes_last_ten_minutes,
        delivery_never_prolongs_a_code,
        a_mail_whose_code_was_superseded_says_so,
        a_notice_outlives_the_registration_that_owed_it,
        two_workers_never_claim_one_mail,
        a_mail_says_which_address_on_record_its_code_is_for,
        a_sealed_mail_comes_back_octet_for_octet,
    ],
    purging: [
        purging_leaves_what_is_alive,
        purging_takes_what_has_ended,
        purging_does_not_exceed_its_limit,
        purging_lets_a_settled_mail_go_after_a_week,
        the_backlog_tells_what_is_owed_by_class_and_since_when,
        the_backlog_tells_since_when_there_is_something_to_purge,
    ],
    hanging_on_keys: [
        what_is_alive_is_counted_under_the_key_that_it_hangs_on,
        what_has_ended_hangs_on_no_key,
    ],
}

/// Registers and verifies `alias` with `address` at second 0, and returns the session that came of it.
async fn account(store: &dyn Store, alias: &str, address: &str) -> Registration {
    let registration = sample_registration(alias, address, at(0));
    assert_eq!(store.register_user(&registration).await.unwrap(), Outcome::Done(()));
    let redeemed = store.redeem_code(&right_guess(&registration.sign_in.code, at(0))).await.unwrap();
    assert!(matches!(redeemed, Redeemed::Yes { .. }));
    registration
}

fn owner(registration: &Registration) -> SessionOwner {
    SessionOwner { user_id: registration.user_id, email_id: registration.email_id }
}

/// Opens a session for `to` from `network` and redeems its code at once.
async fn live_session(store: &dyn Store, to: &Registration, network: u8, now: Timestamp) -> auth_domain::PendingSignIn {
    let sign_in = crate::samples::sign_in(to.address.as_str(), network, now);
    assert_eq!(store.open_session(&sign_in, &decoy_hash()).await.unwrap(), Outcome::Done(()));
    let redeemed = store.redeem_code(&right_guess(&sign_in.code, now)).await.unwrap();
    assert!(matches!(redeemed, Redeemed::Yes { .. }));
    sign_in
}

async fn found(store: &dyn Store, sign_in: &auth_domain::PendingSignIn) -> Option<Session> {
    store.find_session(&sign_in.session.digest).await.unwrap().map(|live| live.session)
}

/// Whether a session is closed on behalf of a user.
async fn closes(store: &dyn Store, id: SessionId, of: UserId, second: u64) -> bool {
    let closed = store.close_session(id, Some(of), &event(EventKind::SessionClosed, at(second))).await.unwrap();
    assert!(closed.is_none_or(|owner| owner == of));
    closed.is_some()
}

/// How many live sessions of a user are closed along with everything but `keep`.
async fn closes_others(store: &dyn Store, user: UserId, keep: SessionId, second: u64) -> u64 {
    let event = event(EventKind::OtherSessionsClosed, at(second));
    store.close_sessions(user, Some(keep), &event).await.unwrap()
}

/// Whether a key pair is deleted on behalf of a user.
async fn deletes_key(store: &dyn Store, id: KeyPairId, of: UserId, second: u64) -> bool {
    let deleted = store.delete_key_pair(id, Some(of), &event(EventKind::KeyPairDeleted, at(second))).await.unwrap();
    assert!(deleted.is_none_or(|owner| owner == of));
    deleted.is_some()
}

/// What comes of deleting a user.
async fn deletes(store: &dyn Store, user: UserId) -> Outcome {
    store.delete_user(user, &event(EventKind::UserDeleted, at(1)).about(user)).await.unwrap()
}
