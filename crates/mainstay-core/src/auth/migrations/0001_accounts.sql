-- Accounts, and what proves who calls. Columns that end in `_sealed` hold AES-256-GCM under the person's own key.

-- One person (or program) that may sign in.
create table core.account (
    id uuid primary key,
    handle text not null unique, -- always in lower case, so that names which differ in case alone are one
    email_sealed bytea, -- none once the person was forgotten
    email_index bytea unique, -- HMAC of the normalised address: finds it without knowing it
    password text, -- argon2id in the PHC form; none for an account that cannot sign in with a password
    role text not null check (role in ('user', 'moderator', 'admin')),
    state text not null check (state in ('active', 'suspended')),
    version bigint not null,
    -- The version of the profile with which a moderator's last word on a suspension came; an older one is ignored.
    person_version bigint not null default 0,
    created_at timestamptz not null
);

-- Each person's own key, wrapped by the master key. Deleting the row makes every sealed column unreadable, in backups
-- that do not hold this table too.
create table core.subject_key (
    subject uuid primary key,
    key_wrapped bytea not null,
    created_at timestamptz not null
);

-- One sign-in: a family of refresh tokens (`token`) or a browser's cookie (`console`).
create table core.session (
    id uuid primary key,
    account uuid not null references core.account (id),
    kind text not null check (kind in ('token', 'console')),
    cookie_hash bytea unique, -- SHA-256 of the cookie; none for tokens
    origin_sealed bytea, -- address and program, so that the person recognises it
    created_at timestamptz not null,
    last_used_at timestamptz not null,
    expires_at timestamptz not null, -- brought forward to the end when it is ended, so that one index finds both
    ended_at timestamptz,
    ended_why text
);
create index session_of_account on core.session (account, last_used_at) where ended_at is null;
create index session_by_end on core.session (expires_at);

-- Every refresh token of a session that lives: an old one that comes back shows that somebody copied it.
create table core.refresh_token (
    hash bytea primary key, -- SHA-256 of the token
    session uuid not null references core.session (id),
    issued_at timestamptz not null,
    rotated_at timestamptz -- when its successor was issued; none for the newest
);
create index refresh_token_of_session on core.refresh_token (session);

-- Keys for programs. What a key may do is the smaller of its scopes and its owner's role.
create table core.api_key (
    id uuid primary key,
    account uuid not null references core.account (id),
    name text not null,
    scopes text not null, -- words with a space between
    created_at timestamptz not null,
    last_used_at timestamptz, -- written at most once a minute
    revoked_at timestamptz
);
create index api_key_of_account on core.api_key (account, created_at);

-- The secrets of a key: one, or two while it is being rotated.
create table core.api_key_secret (
    hash bytea primary key, -- SHA-256 of the secret
    api_key uuid not null references core.api_key (id),
    created_at timestamptz not null,
    ends_at timestamptz -- none until it is rotated out
);
create index api_key_secret_of_key on core.api_key_secret (api_key, created_at);

-- Keys that sign access tokens. The newest signs; an older one verifies until its last token has expired.
create table core.signing_key (
    kid text primary key,
    public_key bytea not null,
    private_wrapped bytea not null, -- PKCS #8, sealed under the master key
    created_at timestamptz not null,
    verifies_until timestamptz -- none while it signs
);
