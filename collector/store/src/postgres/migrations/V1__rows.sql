-- Everything is distributed by its bucket (XXH3-64 of the key's bytes, modulo 256, computed by the
-- collector): the first column of every key, so that the same statements run on one server and on a
-- Citus cluster. Documents are JSON text as the collector wrote it: `json`, not `jsonb`, because a
-- page's title may hold what jsonb refuses (U+0000).

CREATE TABLE clew.visitors (
    vb smallint NOT NULL,
    site text NOT NULL,
    visitor uuid NOT NULL,
    -- Raised by every writer: taking it is taking the visitor.
    version bigint NOT NULL,
    -- Null only between taking a new visitor and storing it, in one transaction.
    document json,
    PRIMARY KEY (vb, site, visitor)
);

CREATE TABLE clew.events (
    vb smallint NOT NULL,
    site text NOT NULL,
    visitor uuid NOT NULL,
    event uuid NOT NULL,
    document json NOT NULL,
    PRIMARY KEY (vb, site, visitor, event)
);

CREATE TABLE clew.leads (
    lb smallint NOT NULL,
    lead uuid NOT NULL,
    site text NOT NULL,
    document json NOT NULL,
    PRIMARY KEY (lb, lead)
);
CREATE INDEX leads_of_site ON clew.leads (site, lead);

CREATE TABLE clew.conversions (
    lb smallint NOT NULL,
    lead uuid NOT NULL,
    conversion uuid NOT NULL,
    document json NOT NULL,
    PRIMARY KEY (lb, lead, conversion)
);

CREATE TABLE clew.deliveries (
    lb smallint NOT NULL,
    lead uuid NOT NULL,
    hash bytea NOT NULL,
    site text NOT NULL,
    destination text NOT NULL,
    subject uuid NOT NULL,
    state text NOT NULL,
    due_at_ms bigint NOT NULL,
    attempts integer NOT NULL,
    created_at_ms bigint NOT NULL,
    error text,
    body bytea,
    PRIMARY KEY (lb, lead, hash)
);
-- The queue of a destination: over all buckets to see what is due, and in one to claim it.
CREATE INDEX deliveries_due ON clew.deliveries (destination, due_at_ms)
    WHERE state IN ('pending', 'sending', 'retry');
CREATE INDEX deliveries_due_in_bucket ON clew.deliveries (lb, destination, due_at_ms)
    WHERE state IN ('pending', 'sending', 'retry');
CREATE INDEX deliveries_of_site ON clew.deliveries (site, lead, hash);

-- E-mails, phones and conversion ids: to which lead each belongs. Whoever comes first keeps it.
CREATE TABLE clew.identities (
    ib smallint NOT NULL,
    site text NOT NULL,
    kind text NOT NULL,
    value text NOT NULL,
    lead uuid NOT NULL,
    PRIMARY KEY (ib, site, kind, value)
);

CREATE TABLE clew.used_keys (
    kb smallint NOT NULL,
    site text NOT NULL,
    key text NOT NULL,
    request bytea NOT NULL,
    lead uuid NOT NULL,
    conversion uuid NOT NULL,
    used_at_ms bigint NOT NULL,
    PRIMARY KEY (kb, site, key)
);
CREATE INDEX used_keys_by_age ON clew.used_keys (used_at_ms);

-- What a collector writes to see that the database takes writes.
CREATE TABLE clew.readiness (
    rb smallint NOT NULL,
    probes bigint NOT NULL,
    PRIMARY KEY (rb)
);

-- An import that has begun and not ended: at most one row. A reference table on Citus.
CREATE TABLE clew.importing (
    one boolean NOT NULL CHECK (one),
    file bytea NOT NULL,
    entities bigint NOT NULL,
    PRIMARY KEY (one)
);
