-- What an owner has sent with their scores to show that they are real.
create index submission_by_evidence on boards.submission (board_no, owner, seq) where evidence is not null;
