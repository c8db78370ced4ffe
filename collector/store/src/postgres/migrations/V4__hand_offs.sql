-- What a delivery tells of, and how often it was claimed, which names the attempt that settles it:
-- attempts begin anew where it is replayed. A worker that was under way knows the attempt that it makes.
ALTER TABLE clew.deliveries ADD COLUMN kind text NOT NULL DEFAULT 'lead.converted';
ALTER TABLE clew.deliveries ADD COLUMN claims integer NOT NULL DEFAULT 0;
-- Of what waits of a lead for a destination, the first alone is tried.
CREATE INDEX deliveries_in_line ON clew.deliveries (lb, lead, destination, created_at_ms, hash)
    WHERE state IN ('pending', 'sending', 'retry');

-- What arises at run time: tokens, how far a poll has come, subscriptions, leases. Names are in the order
-- of their bytes, whatever the database's collation is.
CREATE TABLE clew.memos (
    mb smallint NOT NULL,
    kind text NOT NULL,
    name text COLLATE "C" NOT NULL,
    -- 64 random bits, another with each change.
    stamp bigint NOT NULL,
    value text NOT NULL,
    PRIMARY KEY (mb, kind, name)
);
CREATE INDEX memos_of_kind ON clew.memos (kind, name);
