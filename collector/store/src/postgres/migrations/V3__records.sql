-- What is told of a lead after it converted: stages that it entered, and what became of its deals.
-- Only added to; each is known by the hash of its origin and reference.

CREATE TABLE clew.records (
    lb smallint NOT NULL,
    lead uuid NOT NULL,
    record uuid NOT NULL,
    document json NOT NULL,
    PRIMARY KEY (lb, lead, record)
);

-- The same of somebody whom no lead was known for.
CREATE TABLE clew.unmatched (
    ub smallint NOT NULL,
    site text NOT NULL,
    record uuid NOT NULL,
    document json NOT NULL,
    PRIMARY KEY (ub, site, record)
);
CREATE INDEX unmatched_of_site ON clew.unmatched (site, record);
