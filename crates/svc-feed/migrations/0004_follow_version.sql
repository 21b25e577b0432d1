-- A follow carries a number that grows with every change of any follow, so that of two things that were told of it the
-- later one is known, and all of them can be told in an order that no change disturbs.

alter table feed.follow add column version bigint not null default 0;
update feed.follow set version = numbered.n from (
    select follower_id, followee_id, row_number() over (order by created_at, follower_id, followee_id) as n
    from feed.follow
) as numbered
where follow.follower_id = numbered.follower_id and follow.followee_id = numbered.followee_id;
create unique index follow_by_version on feed.follow (version);

--! postgres
create sequence feed.follow_version;
select setval('feed.follow_version', (select count(*) + 1 from feed.follow));
--! sqlite
-- The number that was given last.
create table feed.follow_version (
    one bigint primary key,
    n bigint not null
);
insert into feed.follow_version (one, n) select 1, count(*) from feed.follow;
--! both
