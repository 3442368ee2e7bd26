//! The tables as the typed queries see them. The schema itself, with the reasons for it, is `migrations/postgres`.

diesel::table! {
    users (id) {
        id -> Uuid,
        alias -> Text,
        alias_key -> Text,
        full_name -> Text,
        verified -> Bool,
        enabled -> Bool,
        registration -> Nullable<Text>,
        roles -> Array<Text>,
        groups -> Array<Text>,
        created_at -> Timestamptz,
    }
}

diesel::table! {
    emails (id) {
        id -> Uuid,
        user_id -> Uuid,
        address -> Text,
        address_key -> Text,
        verified -> Bool,
        vouched -> Bool,
        preferred -> Bool,
        created_at -> Timestamptz,
    }
}

diesel::table! {
    sessions (id) {
        id -> Uuid,
        user_id -> Nullable<Uuid>,
        digest -> Binary,
        key_id -> Text,
        kind -> Text,
        verified_at -> Nullable<Timestamptz>,
        created_at -> Timestamptz,
        expires_at -> Timestamptz,
        last_used_at -> Nullable<Timestamptz>,
        ip -> Inet,
        user_agent -> Text,
    }
}

diesel::table! {
    key_pairs (id) {
        id -> Uuid,
        user_id -> Uuid,
        name -> Text,
        api_key -> Text,
        digest -> Binary,
        key_id -> Text,
        roles -> Nullable<Array<Text>>,
        verified_at -> Nullable<Timestamptz>,
        created_at -> Timestamptz,
        expires_at -> Timestamptz,
        last_used_at -> Nullable<Timestamptz>,
    }
}

diesel::table! {
    codes (id) {
        id -> Uuid,
        purpose -> Text,
        session_id -> Nullable<Uuid>,
        key_pair_id -> Nullable<Uuid>,
        email_id -> Nullable<Uuid>,
        address_key -> Text,
        network -> Cidr,
        hash -> Binary,
        key_id -> Text,
        created_at -> Timestamptz,
        expires_at -> Timestamptz,
        wrong_guesses -> Integer,
        ended -> Bool,
    }
}

diesel::table! {
    outbox (id) {
        id -> Uuid,
        class -> Text,
        code_id -> Nullable<Uuid>,
        key_id -> Text,
        sealed -> Nullable<Binary>,
        created_at -> Timestamptz,
        due_at -> Timestamptz,
        attempts -> Integer,
        settled_at -> Nullable<Timestamptz>,
        outcome -> Nullable<Text>,
    }
}

diesel::table! {
    mail_attempts (mail_id, attempt) {
        mail_id -> Uuid,
        attempt -> Integer,
        ended_at -> Timestamptz,
        outcome -> Text,
        reply -> Text,
    }
}

diesel::table! {
    events (id) {
        id -> Uuid,
        at -> Timestamptz,
        kind -> Text,
        outcome -> Text,
        actor_id -> Nullable<Uuid>,
        subject_id -> Nullable<Uuid>,
        credential_id -> Nullable<Uuid>,
        ip -> Nullable<Inet>,
        detail -> Text,
        position -> Int8,
    }
}

diesel::table! {
    known_networks (email_id, network) {
        email_id -> Uuid,
        network -> Text,
        last_signed_in_at -> Timestamptz,
    }
}

diesel::table! {
    failures (address_key, network) {
        address_key -> Text,
        network -> Text,
        day_began_at -> Timestamptz,
        of_day -> Integer,
        in_a_row -> Integer,
        last_at -> Timestamptz,
        told_at -> Nullable<Timestamptz>,
        owner_told_at -> Nullable<Timestamptz>,
    }
}

diesel::table! {
    throttles (kind, address_key, network) {
        kind -> Text,
        address_key -> Text,
        network -> Text,
        full_at -> Timestamptz,
        told_at -> Nullable<Timestamptz>,
    }
}

diesel::joinable!(emails -> users (user_id));
diesel::joinable!(sessions -> users (user_id));
diesel::joinable!(key_pairs -> users (user_id));
diesel::joinable!(codes -> emails (email_id));
diesel::joinable!(outbox -> codes (code_id));
diesel::allow_tables_to_appear_in_same_query!(users, emails, sessions, key_pairs, codes, outbox);
diesel::allow_tables_to_appear_in_same_query!(emails, failures);
