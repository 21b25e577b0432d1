-- Money as it was promised and paid, in double entries: what one account gets another gives.

-- One movement of money.
create table boards.transfer (
    id uuid primary key,
    -- entry_fee, prize or refund.
    kind text not null,
    -- What it was for: a competition's id.
    reference text not null,
    currency text not null,
    made_at timestamptz not null
); -- without rowid

-- What a transfer does to an account, in minor units; the entries of a transfer sum to 0. Accounts are `user:ID`,
-- `pool:COMPETITION`, `house:fees` and `house:convenience`.
create table boards.ledger_entry (
    account text not null,
    transfer_id uuid not null references boards.transfer (id),
    minor bigint not null,
    primary key (account, transfer_id)
); -- without rowid
create index ledger_entry_by_transfer on boards.ledger_entry (transfer_id);

-- The sum of an account's entries.
create table boards.balance (
    account text not null,
    currency text not null,
    minor bigint not null,
    primary key (account, currency)
); -- without rowid
