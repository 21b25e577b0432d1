//! Statements on the tables of accounts. Never begins, commits or decides.

use mainstay_contract::{
    account::{ApiKeyId, SessionId},
    id::UserId,
    ts::Ts,
};

use super::model::{Role, Scopes, Standing, State};
use crate::{
    db::{DbError, Tx},
    params, row, statements,
};

macro_rules! account {
    ($rest:literal) => {
        concat!(
            "select a.id, a.handle, a.email_sealed, a.password, a.role, a.state, a.version, a.created_at, k.key_wrapped ",
            "from core.account a left join core.subject_key k on k.subject = a.id ",
            $rest
        )
    };
}

macro_rules! session {
    ($rest:literal) => {
        concat!(
            "select s.id, s.kind, s.created_at, s.last_used_at, s.expires_at, s.ended_at, s.origin_sealed, ",
            "a.id, a.handle, a.role, a.state from core.session s join core.account a on a.id = s.account ",
            $rest
        )
    };
}

statements! {
    /// An account by id.
    ACCOUNT = account!("where a.id = $1");
    /// An account by its handle in lower case.
    ACCOUNT_BY_HANDLE = account!("where a.handle = $1");
    /// An account by the index of its normalised address.
    ACCOUNT_BY_EMAIL = account!("where a.email_index = $1");
    /// Accounts after a handle, in the order of handles by code points, whatever the locale of the database; all, or
    /// those with one role. Without a key of its own an account is one of a person who was forgotten.
    ACCOUNTS = "select a.id, a.handle, a.role,
            case when k.subject is null then 'forgotten' else a.state end
        from core.account a left join core.subject_key k on k.subject = a.id
        where a.handle collate \"C\" > $1 and ($2::text is null or a.role = $2)
        order by a.handle collate \"C\" limit $3",
        sqlite "select a.id, a.handle, a.role, case when k.subject is null then 'forgotten' else a.state end
        from core.account a left join core.subject_key k on k.subject = a.id
        where a.handle > $1 and ($2 is null or a.role = $2) order by a.handle limit $3";
    /// Another administrator than this one who is neither suspended nor forgotten.
    OTHER_ADMINISTRATOR = "select a.id from core.account a join core.subject_key k on k.subject = a.id
        where a.role = 'admin' and a.state = 'active' and a.id <> $1 limit 1";
    /// The handles of accounts.
    HANDLES = "select id, handle from core.account where id = any($1)",
        sqlite "select id, handle from core.account where id in (select unhex(value) from json_each($1))";
    /// Accounts after one, in the order of ids, without those that were forgotten.
    STATES = "select a.id, a.handle, a.role, a.state, a.version, a.person_version
        from core.account a join core.subject_key k on k.subject = a.id
        where a.id > $1 order by a.id limit $2";
    /// Whether a handle is taken, and whether an address is.
    TAKEN = "select
        (select count(*) from core.account where handle = $1),
        (select count(*) from core.account where email_index = $2)";
    /// Creates an account; changes nothing if handle or address are taken.
    ADD_ACCOUNT = "insert into core.account
        (id, handle, email_sealed, email_index, password, role, state, version, created_at)
        values ($1, $2, $3, $4, $5, $6, 'active', 1, $7) on conflict do nothing";
    /// Keeps a person's own key.
    ADD_SUBJECT_KEY = "insert into core.subject_key (subject, key_wrapped, created_at) values ($1, $2, $3)";
    /// Makes what is sealed for a person unreadable.
    DROP_SUBJECT_KEY = "delete from core.subject_key where subject = $1";
    /// Takes out what would still find or let in a person who was forgotten.
    BLANK_ACCOUNT = "update core.account
        set email_sealed = null, email_index = null, password = null, version = version + 1 where id = $1";
    /// Sets the hash of a password.
    SET_PASSWORD = "update core.account set password = $2 where id = $1";
    /// Puts another hash in place of the one that was checked; changes nothing if that is not there any more.
    REPLACE_PASSWORD = "update core.account set password = $2 where id = $1 and password = $3";
    /// Suspends or lifts, unless it is so already.
    SET_STATE = "update core.account set state = $2, version = version + 1
        where id = $1 and state <> $2 returning version, person_version";
    /// Notes what a moderator said of a suspension; changes nothing if that or something newer is known.
    HEAR_PERSON = "update core.account set person_version = $2, version = version + 1
        where id = $1 and person_version < $2 returning version";
    /// Changes the role, unless it is so already.
    SET_ROLE = "update core.account set role = $2, version = version + 1
        where id = $1 and role <> $2 returning version";

    /// Begins a session.
    ADD_SESSION = "insert into core.session
        (id, account, kind, cookie_hash, origin_sealed, created_at, last_used_at, expires_at)
        values ($1, $2, $3, $4, $5, $6, $6, $7)";
    /// A session and its account by id.
    SESSION = session!("where s.id = $1");
    /// A session and its account by its cookie.
    SESSION_BY_COOKIE = session!("where s.cookie_hash = $1");
    /// The sessions of an account that live, newest use first.
    SESSIONS = session!("where s.account = $1 and s.ended_at is null and s.expires_at > $2
        order by s.last_used_at desc, s.id desc limit $3");
    /// Ends one session.
    END_SESSION = "update core.session set ended_at = $3, expires_at = $3, ended_why = $4
        where id = $1 and account = $2 and ended_at is null";
    /// Ends all sessions of an account.
    END_SESSIONS = "update core.session set ended_at = $2, expires_at = $2, ended_why = $3
        where account = $1 and ended_at is null";
    /// Ends the sessions of an account besides one, because its password changed.
    END_OTHER_SESSIONS = "update core.session set ended_at = $3, expires_at = $3, ended_why = 'password'
        where account = $1 and id <> $2 and ended_at is null returning id";
    /// Ends the sessions of an account that were used longest ago, beyond the newest so many.
    END_OLD_SESSIONS = "update core.session set ended_at = $2, expires_at = $2, ended_why = 'replaced'
        where account = $1 and ended_at is null and id in (
            select id from core.session where account = $1 and ended_at is null
            order by last_used_at desc, id desc limit 1000 offset $3)
        returning id";
    /// Notes that a session was used, which keeps it.
    TOUCH_SESSION = "update core.session set last_used_at = $2, expires_at = $3
        where id = $1 and ended_at is null and last_used_at < $2";
    /// Sessions that ended or expired before an instant.
    OLD_SESSIONS = "select id from core.session where expires_at < $1 order by expires_at limit $2";
    /// Drops the tokens of a session.
    DROP_TOKENS = "delete from core.refresh_token where session = $1";
    /// Drops a session.
    DROP_SESSION = "delete from core.session where id = $1";

    /// Lets whoever refreshes one session queue up; used on Postgres alone.
    LOCK_FAMILY = "select id from core.session
        where id = (select session from core.refresh_token where hash = $1) for update",
        sqlite "select id from core.session where id = (select session from core.refresh_token where hash = $1)";
    /// Keeps a refresh token.
    ADD_TOKEN = "insert into core.refresh_token (hash, session, issued_at) values ($1, $2, $3)";
    /// A refresh token.
    TOKEN = "select session, issued_at, rotated_at from core.refresh_token where hash = $1";
    /// Marks a refresh token as used.
    ROTATE_TOKEN = "update core.refresh_token set rotated_at = $2 where hash = $1 and rotated_at is null";

    /// Creates an API key.
    ADD_KEY = "insert into core.api_key (id, account, name, scopes, created_at) values ($1, $2, $3, $4, $5)";
    /// Keeps a secret of an API key.
    ADD_SECRET = "insert into core.api_key_secret (hash, api_key, created_at) values ($1, $2, $3)";
    /// The live keys of an account, oldest first, with their live secrets.
    KEYS = "select k.id, k.name, k.scopes, k.created_at, k.last_used_at, count(s.hash), min(s.ends_at)
        from core.api_key k
        left join core.api_key_secret s on s.api_key = k.id and (s.ends_at is null or s.ends_at > $2)
        where k.account = $1 and k.revoked_at is null
        group by k.id, k.name, k.scopes, k.created_at, k.last_used_at
        order by k.created_at, k.id limit $3";
    /// The key and account behind a secret that lives.
    KEY_BY_SECRET = "select k.id, k.scopes, k.last_used_at, s.ends_at, a.id, a.handle, a.role, a.state
        from core.api_key_secret s
        join core.api_key k on k.id = s.api_key
        join core.account a on a.id = k.account
        where s.hash = $1 and k.revoked_at is null and (s.ends_at is null or s.ends_at > $2)";
    /// Revokes a key of an account.
    REVOKE_KEY = "update core.api_key set revoked_at = $3
        where id = $1 and account = $2 and revoked_at is null";
    /// Revokes all keys of an account.
    REVOKE_KEYS = "update core.api_key set revoked_at = $2 where account = $1 and revoked_at is null";
    /// Drops every secret of a key.
    DROP_SECRETS = "delete from core.api_key_secret where api_key = $1";
    /// Drops the secrets of a key that are being rotated out.
    DROP_ENDING_SECRETS = "delete from core.api_key_secret where api_key = $1 and ends_at is not null";
    /// Lets a key's secret end.
    END_SECRETS = "update core.api_key_secret set ends_at = $2 where api_key = $1 and ends_at is null";
    /// Notes that a key was used.
    TOUCH_KEY = "update core.api_key set last_used_at = $2
        where id = $1 and (last_used_at is null or last_used_at < $2)";

    /// The signing keys whose tokens may still live, newest first.
    SIGNING_KEYS = "select kid, public_key, private_wrapped, verifies_until from core.signing_key
        where verifies_until is null or verifies_until > $1 order by created_at desc, kid limit 100";
    /// Keeps a signing key.
    ADD_SIGNING_KEY = "insert into core.signing_key (kid, public_key, private_wrapped, created_at)
        values ($1, $2, $3, $4)";
    /// Lets every other key that signs verify only until an instant.
    RETIRE_SIGNING_KEYS = "update core.signing_key set verifies_until = $2
        where kid <> $1 and verifies_until is null";
    /// Drops signing keys whose last token has expired.
    DROP_SIGNING_KEYS = "delete from core.signing_key where verifies_until < $1";
}

row! {
    /// An account.
    #[derive(Debug, Clone)]
    pub(crate) struct AccountRow {
        pub(crate) id: UserId,
        pub(crate) handle: String,
        pub(crate) email_sealed: Option<Vec<u8>>,
        pub(crate) password: Option<String>,
        pub(crate) role: Role,
        pub(crate) state: State,
        pub(crate) version: i64,
        pub(crate) created_at: Ts,
        pub(crate) key_wrapped: Option<Vec<u8>>,
    }
}

row! {
    /// An account in a list.
    #[derive(Debug, Clone)]
    pub(crate) struct ListedRow {
        pub(crate) id: UserId,
        pub(crate) handle: String,
        pub(crate) role: Role,
        pub(crate) state: Standing,
    }
}

row! {
    /// How an account stands.
    #[derive(Debug, Clone)]
    pub(crate) struct StateRow {
        pub(crate) id: UserId,
        pub(crate) handle: String,
        pub(crate) role: Role,
        pub(crate) state: State,
        pub(crate) version: i64,
        pub(crate) person_version: i64,
    }
}

row! {
    /// A session with what decides about its account.
    #[derive(Debug, Clone)]
    pub(crate) struct SessionRow {
        pub(crate) id: SessionId,
        pub(crate) kind: String,
        pub(crate) created_at: Ts,
        pub(crate) last_used_at: Ts,
        pub(crate) expires_at: Ts,
        pub(crate) ended_at: Option<Ts>,
        pub(crate) origin_sealed: Option<Vec<u8>>,
        pub(crate) user: UserId,
        pub(crate) handle: String,
        pub(crate) role: Role,
        pub(crate) state: State,
    }
}

row! {
    /// A refresh token.
    #[derive(Debug, Clone)]
    pub(crate) struct TokenRow {
        pub(crate) session: SessionId,
        pub(crate) issued_at: Ts,
        pub(crate) rotated_at: Option<Ts>,
    }
}

row! {
    /// An API key for its owner.
    #[derive(Debug, Clone)]
    pub(crate) struct KeyRow {
        pub(crate) id: ApiKeyId,
        pub(crate) name: String,
        pub(crate) scopes: Scopes,
        pub(crate) created_at: Ts,
        pub(crate) last_used_at: Option<Ts>,
        pub(crate) secret_count: i64,
        pub(crate) old_secret_ends_at: Option<Ts>,
    }
}

row! {
    /// What is behind a secret.
    #[derive(Debug, Clone)]
    pub(crate) struct SecretRow {
        pub(crate) key: ApiKeyId,
        pub(crate) scopes: Scopes,
        pub(crate) last_used_at: Option<Ts>,
        pub(crate) ends_at: Option<Ts>,
        pub(crate) user: UserId,
        pub(crate) handle: String,
        pub(crate) role: Role,
        pub(crate) state: State,
    }
}

row! {
    /// A signing key.
    #[derive(Debug, Clone)]
    pub(crate) struct SigningKeyRow {
        pub(crate) kid: String,
        pub(crate) public_key: Vec<u8>,
        pub(crate) private_wrapped: Vec<u8>,
        pub(crate) verifies_until: Option<Ts>,
    }
}

/// The account with this id.
pub(crate) async fn account(tx: &mut Tx, user: UserId) -> Result<Option<AccountRow>, DbError> {
    tx.optional(&ACCOUNT, params![user]).await
}

/// The session with this id.
pub(crate) async fn session(
    tx: &mut Tx,
    session: SessionId,
) -> Result<Option<SessionRow>, DbError> {
    tx.optional(&SESSION, params![session]).await
}

/// The live keys of an account, at most `limit`.
pub(crate) async fn keys(tx: &mut Tx, user: UserId, limit: i64) -> Result<Vec<KeyRow>, DbError> {
    let now = tx.now();
    tx.all(&KEYS, params![user, now, limit]).await
}
