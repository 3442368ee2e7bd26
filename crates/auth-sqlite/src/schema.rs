//! The tables as the typed queries see them. The schema itself, with the reasons for it, is `migrations/sqlite`.

diesel::table! {
    users (id) {
        id -> Binary,
        alias -> Text,
        alias_key -> Text,
        full_name -> Text,
        verified -> Bool,
        enabled -> Bool,
        registration -> Nullable<Text>,
        roles -> Text,
        groups -> Text,
        created_at -> BigInt,
    }
}

diesel::table! {
    emails (id) {
        id -> Binary,
        user_id -> Binary,
        address -> Text,
        address_key -> Text,
        verified -> Bool,
        vouched -> Bool,
        preferred -> Bool,
        created_at -> BigInt,
    }
}

diesel::table! {
    sessions (id) {
        id -> Binary,
        user_id -> Nullable<Binary>,
        digest -> Binary,
        key_id -> Text,
        kind -> Text,
        verified_at -> Nullable<BigInt>,
        created_at -> BigInt,
        expires_at -> BigInt,
        last_used_at -> Nullable<BigInt>,
        ip -> Text,
        user_agent -> Text,
    }
}

diesel::table! {
    key_pairs (id) {
        id -> Binary,
        user_id -> Binary,
        name -> Text,
        api_key -> Text,
        digest -> Binary,
        key_id -> Text,
        roles -> Nullable<Text>,
        verified_at -> Nullable<BigInt>,
        created_at -> BigInt,
        expires_at -> BigInt,
        last_used_at -> Nullable<BigInt>,
    }
}

diesel::table! {
    codes (id) {
        id -> Binary,
        purpose -> Text,
        session_id -> Nullable<Binary>,
        key_pair_id -> Nullable<Binary>,
        email_id -> Nullable<Binary>,
        address_key -> Text,
        network -> Text,
        hash -> Binary,
        key_id -> Text,
        created_at -> BigInt,
        expires_at -> BigInt,
        wrong_guesses -> BigInt,
        ended -> Bool,
    }
}

diesel::table! {
    outbox (id) {
        id -> Binary,
        class -> Text,
        code_id -> Nullable<Binary>,
        key_id -> Text,
        sealed -> Nullable<Binary>,
        created_at -> BigInt,
        due_at -> BigInt,
        attempts -> BigInt,
        settled_at -> Nullable<BigInt>,
        outcome -> Nullable<Text>,
    }
}

diesel::table! {
    mail_attempts (mail_id, attempt) {
        mail_id -> Binary,
        attempt -> BigInt,
        ended_at -> BigInt,
        outcome -> Text,
        reply -> Text,
    }
}

diesel::table! {
    events (id) {
        id -> Binary,
        at -> BigInt,
        kind -> Text,
        outcome -> Text,
        actor_id -> Nullable<Binary>,
        subject_id -> Nullable<Binary>,
        credential_id -> Nullable<Binary>,
        ip -> Nullable<Text>,
        detail -> Text,
        position -> BigInt,
    }
}

diesel::table! {
    known_networks (email_id, network) {
        email_id -> Binary,
        network -> Text,
        last_signed_in_at -> BigInt,
    }
}

diesel::table! {
    failures (address_key, network) {
        address_key -> Text,
        network -> Text,
        day_began_at -> BigInt,
        of_day -> BigInt,
        in_a_row -> BigInt,
        last_at -> BigInt,
        told_at -> Nullable<BigInt>,
        owner_told_at -> Nullable<BigInt>,
    }
}

diesel::table! {
    throttles (kind, address_key, network) {
        kind -> Text,
        address_key -> Text,
        network -> Text,
        full_at -> BigInt,
        told_at -> Nullable<BigInt>,
    }
}

diesel::joinable!(emails -> users (user_id));
diesel::joinable!(sessions -> users (user_id));
diesel::joinable!(key_pairs -> users (user_id));
diesel::joinable!(codes -> emails (email_id));
diesel::joinable!(outbox -> codes (code_id));
diesel::joinable!(known_networks -> emails (email_id));
diesel::allow_tables_to_appear_in_same_query!(users, emails, sessions, key_pairs, codes, outbox, known_networks);
