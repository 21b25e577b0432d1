-- Which weights the rank keys follow. Nothing was written to the table before.

drop table feed.ranking;

-- One row. `generation` counts the weights that there were; a cursor of another generation has ended. While keys are
-- computed again, those of posts up to `walked_to` follow these weights for sure; null when all do.
create table feed.ranking (
    one bigint primary key check (one = 1),
    generation bigint not null,
    like_weight double precision not null,
    comment_weight double precision not null,
    view_weight double precision not null,
    decay_per_hour double precision not null,
    walked_to uuid
);
