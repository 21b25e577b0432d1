-- What moderators decided and what can be taken back, so that it is found again once its reports are done with.

-- One post or comment that is hidden or removed, or one person who is suspended, with the last decision. It goes when
-- that is taken back, and with what it is about. `target` is the TypeID of a post, comment or person.
create table feed.decision (
    target text primary key,
    action text not null,
    moderator_id uuid not null,
    reason text not null,
    decided_at timestamptz not null
);
create index decision_by_time on feed.decision (decided_at, target);

-- Places are compared by code points, as those of reports are.
--! postgres
alter table feed.decision alter column target type text collate "C";
--! both
