-- Lists that were scanned before: a site's leads by their last conversion, and a destination's deliveries.
-- Generated, so that collectors of the version before may go on writing while others are restarted. `->>` fails
-- on a document with U+0000 in any text; a lead has none, because contacts lose control characters when they are read.
ALTER TABLE clew.leads ADD COLUMN converted_at_ms bigint
    GENERATED ALWAYS AS ((document ->> 'converted_at_ms')::bigint) STORED;
CREATE INDEX leads_by_conversion ON clew.leads (site, converted_at_ms, lead);

CREATE INDEX deliveries_of_destination ON clew.deliveries (site, destination, lead, hash);
