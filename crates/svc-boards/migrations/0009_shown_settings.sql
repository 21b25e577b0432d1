-- While a large board is built anew, its entries are those of the settings before; null if these are the same.
alter table boards.build add column shown jsonb;
