//! Every SQL statement of the collector, with the shard of a Citus cluster that it runs on.
//!
//! The schema is in `migrations/`. The first column of each distributed table is its bucket: `vb`
//! of the site and visitor, `lb` of the lead, `ib` of an identity, `kb` of an idempotency key, `ub`
//! of an unmatched record, `mb` of a memo, `rb` of a readiness probe. A statement that names its
//! bucket runs on one shard. Only lists, the search for due deliveries and clean-up query every
//! shard, and none of them locks rows that it only reads. Times are parameters, never the server's
//! clock. A test checks this list and the migrations against what Citus refuses.

pub use super::statement::{MultiRow, Shard, Statement};

use super::statement::MOST_ROWS;
use std::sync::LazyLock;

macro_rules! statements {
    ($($(#[$doc:meta])* $name:ident, $shard:expr, $sql:expr;)*) => {
        $($(#[$doc])* pub static $name: Statement = Statement { sql: $sql, shard: $shard };)*
        /// All fixed statements, by name.
        pub static ALL: &[(&str, &Statement)] = &[$((stringify!($name), &$name)),*];
    };
}

macro_rules! inserts {
    ($($(#[$doc:meta])* $name:ident, $shard:expr, $head:expr, $row:expr, $tail:expr;)*) => {
        $($(#[$doc])* pub static $name: MultiRow = MultiRow {
            head: $head,
            row: $row,
            tail: $tail,
            shard: $shard,
            texts: LazyLock::new(|| (0..=MOST_ROWS.ilog2()).map(|power| $name.text(1 << power)).collect()),
        };)*
        /// All multi-row inserts, by name.
        pub static INSERTS: &[(&str, &MultiRow)] = &[$((stringify!($name), &$name)),*];
    };
}

inserts! {
    /// Locks visitors until the commit, creating new ones, in the order of their keys.
    TAKE_VISITORS, Shard::Rows("vb"),
        "INSERT INTO clew.visitors AS old (vb, site, visitor, version) VALUES",
        "(?, ?, ?, 1)",
        "ON CONFLICT (vb, site, visitor) DO UPDATE SET version = old.version + 1
         RETURNING site, visitor, document";
    /// Writes the records of visitors that this transaction has locked.
    PUT_VISITORS, Shard::Rows("vb"),
        "INSERT INTO clew.visitors (vb, site, visitor, version, document) VALUES",
        "(?, ?, ?, 1, ?)",
        "ON CONFLICT (vb, site, visitor) DO UPDATE SET document = excluded.document";
    /// Writes rows of visitors that this transaction has locked.
    PUT_EVENTS, Shard::Rows("vb"),
        "INSERT INTO clew.events (vb, site, visitor, event, document) VALUES",
        "(?, ?, ?, ?, ?)",
        "ON CONFLICT (vb, site, visitor, event) DO UPDATE SET document = excluded.document";
    /// Writes leads, new or changed. `site` is the list that the lead is in.
    PUT_LEADS, Shard::Rows("lb"),
        "INSERT INTO clew.leads (lb, lead, site, document) VALUES",
        "(?, ?, ?, ?)",
        "ON CONFLICT (lb, lead) DO UPDATE SET site = excluded.site, document = excluded.document";
    /// Writes conversions.
    PUT_CONVERSIONS, Shard::Rows("lb"),
        "INSERT INTO clew.conversions (lb, lead, conversion, document) VALUES",
        "(?, ?, ?, ?)",
        "ON CONFLICT (lb, lead, conversion) DO UPDATE SET document = excluded.document";
    /// Writes records of leads, unless they are already stored.
    PUT_RECORDS, Shard::Rows("lb"),
        "INSERT INTO clew.records (lb, lead, record, document) VALUES",
        "(?, ?, ?, ?)",
        "ON CONFLICT (lb, lead, record) DO NOTHING";
    /// Writes unmatched records, unless they are already stored.
    PUT_UNMATCHED, Shard::Rows("ub"),
        "INSERT INTO clew.unmatched (ub, site, record, document) VALUES",
        "(?, ?, ?, ?)",
        "ON CONFLICT (ub, site, record) DO NOTHING";
    /// Writes deliveries, unless they are already stored.
    PUT_DELIVERIES, Shard::Rows("lb"),
        "INSERT INTO clew.deliveries (lb, lead, hash, site, destination, kind, subject, state, due_at_ms,
         attempts, claims, created_at_ms, error, body) VALUES",
        "(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        "ON CONFLICT (lb, lead, hash) DO NOTHING";
    /// Writes memos, unless the name is in use.
    PUT_MEMOS, Shard::Rows("mb"),
        "INSERT INTO clew.memos (mb, kind, name, stamp, value) VALUES",
        "(?, ?, ?, ?, ?)",
        "ON CONFLICT (mb, kind, name) DO NOTHING";
    /// Claims identities that nobody has.
    CLAIM_IDENTITIES, Shard::Rows("ib"),
        "INSERT INTO clew.identities (ib, site, kind, value, lead) VALUES",
        "(?, ?, ?, ?, ?)",
        "ON CONFLICT (ib, site, kind, value) DO NOTHING";
    /// Stores the use of idempotency keys that are not in use.
    USE_KEYS, Shard::Rows("kb"),
        "INSERT INTO clew.used_keys (kb, site, key, request, lead, conversion, used_at_ms) VALUES",
        "(?, ?, ?, ?, ?, ?, ?)",
        "ON CONFLICT (kb, site, key) DO NOTHING";
}

statements! {
    /// A visitor's record.
    VISITOR, Shard::One("vb"),
        "SELECT document FROM clew.visitors
         WHERE vb = $1 AND site = $2 AND visitor = $3 AND document IS NOT NULL";
    /// The same, locked until the commit.
    TAKE_VISITOR, Shard::One("vb"),
        "SELECT document FROM clew.visitors
         WHERE vb = $1 AND site = $2 AND visitor = $3 AND document IS NOT NULL FOR UPDATE";
    /// A visitor's rows, in the order of their ids.
    EVENTS, Shard::One("vb"),
        "SELECT event, document FROM clew.events
         WHERE vb = $1 AND site = $2 AND visitor = $3 ORDER BY event";
    /// Removes some of a visitor's rows.
    REMOVE_EVENTS, Shard::One("vb"),
        "DELETE FROM clew.events WHERE vb = $1 AND site = $2 AND visitor = $3 AND event = ANY($4)";
    /// Removes all of a visitor's rows.
    ERASE_EVENTS, Shard::One("vb"),
        "DELETE FROM clew.events WHERE vb = $1 AND site = $2 AND visitor = $3";
    /// Removes a visitor's record.
    ERASE_VISITOR, Shard::One("vb"),
        "DELETE FROM clew.visitors WHERE vb = $1 AND site = $2 AND visitor = $3";
    /// Removes a lead. The next two remove its conversions and deliveries.
    ERASE_LEAD, Shard::One("lb"), "DELETE FROM clew.leads WHERE lb = $1 AND lead = $2";
    /// Removes a lead's conversions.
    ERASE_CONVERSIONS, Shard::One("lb"), "DELETE FROM clew.conversions WHERE lb = $1 AND lead = $2";
    /// Removes a lead's deliveries, with their bodies.
    ERASE_DELIVERIES, Shard::One("lb"), "DELETE FROM clew.deliveries WHERE lb = $1 AND lead = $2";
    /// Removes an identity.
    ERASE_IDENTITY, Shard::One("ib"),
        "DELETE FROM clew.identities WHERE ib = $1 AND site = $2 AND kind = $3 AND value = $4";
    /// Some of a visitor's rows.
    SOME_EVENTS, Shard::One("vb"),
        "SELECT event, document FROM clew.events
         WHERE vb = $1 AND site = $2 AND visitor = $3 AND event = ANY($4)";
    /// A lead.
    LEAD, Shard::One("lb"),
        "SELECT document FROM clew.leads WHERE lb = $1 AND lead = $2";
    /// The same, locked until the commit.
    TAKE_LEAD, Shard::One("lb"),
        "SELECT document FROM clew.leads WHERE lb = $1 AND lead = $2 FOR UPDATE";
    /// A site's leads, newest first.
    LEADS, Shard::Every,
        "SELECT document FROM clew.leads WHERE site = $1 AND lead < $2 ORDER BY lead DESC LIMIT $3";
    /// A site's leads by their last conversion, latest first.
    LEADS_BY_CONVERSION, Shard::Every,
        "SELECT document FROM clew.leads
         WHERE site = $1 AND (converted_at_ms, lead) < ($2, $3)
         ORDER BY converted_at_ms DESC, lead DESC LIMIT $4";
    /// A lead's conversions.
    CONVERSIONS, Shard::One("lb"),
        "SELECT document FROM clew.conversions WHERE lb = $1 AND lead = $2 ORDER BY conversion";
    /// A lead's records.
    RECORDS, Shard::One("lb"),
        "SELECT document FROM clew.records WHERE lb = $1 AND lead = $2 ORDER BY record";
    /// One record of a lead.
    RECORD, Shard::One("lb"),
        "SELECT document FROM clew.records WHERE lb = $1 AND lead = $2 AND record = $3";
    /// A site's unmatched records.
    UNMATCHED, Shard::Every,
        "SELECT document FROM clew.unmatched WHERE site = $1 AND record > $2 ORDER BY record LIMIT $3";
    /// The lead that an identity belongs to.
    IDENTITY, Shard::One("ib"),
        "SELECT lead FROM clew.identities WHERE ib = $1 AND site = $2 AND kind = $3 AND value = $4";
    /// What an idempotency key was used for.
    USED_KEY, Shard::One("kb"),
        "SELECT request, lead, conversion, used_at_ms FROM clew.used_keys
         WHERE kb = $1 AND site = $2 AND key = $3";
    /// A memo by name.
    MEMO, Shard::One("mb"),
        "SELECT kind, name, stamp, value FROM clew.memos WHERE mb = $1 AND kind = $2 AND name = $3";
    /// The memos of a kind.
    MEMOS, Shard::Every,
        "SELECT kind, name, stamp, value FROM clew.memos
         WHERE kind = $1 AND name > $2 ORDER BY name LIMIT $3";
    /// Changes a memo if it has the expected stamp.
    CHANGE_MEMO, Shard::One("mb"),
        "UPDATE clew.memos SET stamp = $5, value = $6
         WHERE mb = $1 AND kind = $2 AND name = $3 AND stamp = $4";
    /// Removes a memo if it has the expected stamp.
    REMOVE_MEMO, Shard::One("mb"),
        "DELETE FROM clew.memos WHERE mb = $1 AND kind = $2 AND name = $3 AND stamp = $4";
    /// Deletes expired idempotency keys.
    FORGET_KEYS, Shard::Every,
        "DELETE FROM clew.used_keys WHERE used_at_ms < $1";
    /// The buckets with deliveries whose due time or lease end is later than any valid one.
    STRANDED_BUCKETS, Shard::Every,
        "SELECT lb FROM clew.deliveries
         WHERE (state IN ('pending', 'retry') AND due_at_ms > $1)
             OR (state = 'sending' AND due_at_ms > $2)
         GROUP BY lb";
    /// Makes such deliveries in one bucket due.
    RECALL_DELIVERIES, Shard::One("lb"),
        "UPDATE clew.deliveries SET due_at_ms = $2
         WHERE lb = $1 AND ((state IN ('pending', 'retry') AND due_at_ms > $3)
             OR (state = 'sending' AND due_at_ms > $4))";
    /// Sites with more than this many unmatched records.
    FULL_OF_UNMATCHED, Shard::Every,
        "SELECT site FROM clew.unmatched GROUP BY site HAVING count(*) > $1";
    /// Deletes an unmatched record.
    FORGET_UNMATCHED, Shard::One("ub"),
        "DELETE FROM clew.unmatched WHERE ub = $1 AND site = $2 AND record = $3";
    /// The buckets with due deliveries to a destination, longest due first.
    DUE_BUCKETS, Shard::Every,
        "SELECT lb FROM clew.deliveries
         WHERE destination = $1 AND state IN ('pending', 'sending', 'retry') AND due_at_ms <= $2
         ORDER BY due_at_ms LIMIT $3";
    /// Claims due deliveries in one bucket until the lease ends: of each lead only the first of its
    /// line. Skips rows that another collector is claiming.
    ///
    /// The rows are selected as an array so that they are selected once: a join could select again
    /// and exceed the limit.
    CLAIM_DELIVERIES, Shard::One("lb"),
        "UPDATE clew.deliveries
         SET state = 'sending', attempts = attempts + 1, claims = claims + 1, due_at_ms = $4
         WHERE lb = $1 AND destination = $2 AND state IN ('pending', 'sending', 'retry')
             AND due_at_ms <= $3 AND hash = ANY (ARRAY (
                 SELECT hash FROM clew.deliveries AS due
                 WHERE lb = $1 AND destination = $2 AND state IN ('pending', 'sending', 'retry')
                     AND due_at_ms <= $3 AND hash = (
                         SELECT hash FROM clew.deliveries AS line
                         WHERE lb = $1 AND lead = due.lead AND destination = $2
                             AND state IN ('pending', 'sending', 'retry')
                         ORDER BY created_at_ms, hash LIMIT 1)
                 ORDER BY due_at_ms LIMIT $5 FOR UPDATE OF due SKIP LOCKED))
         RETURNING lead, hash, site, destination, kind, subject, state, due_at_ms, attempts, claims,
             created_at_ms, error";
    /// Moves due deliveries in one bucket that are not the first of their line behind the first: to
    /// the given time if that one is being attempted, otherwise just after it.
    MOVE_BLOCKED, Shard::One("lb"),
        "UPDATE clew.deliveries AS due SET due_at_ms = coalesce((
             SELECT CASE state WHEN 'sending' THEN $4 ELSE due_at_ms + 1 END
             FROM clew.deliveries AS line
             WHERE lb = $1 AND lead = due.lead AND destination = $2
                 AND state IN ('pending', 'sending', 'retry')
             ORDER BY created_at_ms, hash LIMIT 1), due_at_ms)
         WHERE lb = $1 AND destination = $2 AND state IN ('pending', 'sending', 'retry')
             AND due_at_ms <= $3 AND hash = ANY (ARRAY (
                 SELECT hash FROM clew.deliveries AS blocked
                 WHERE lb = $1 AND destination = $2 AND state IN ('pending', 'sending', 'retry')
                     AND due_at_ms <= $3 AND due_at_ms < (
                         SELECT CASE WHEN hash = blocked.hash THEN due_at_ms
                             WHEN state = 'sending' THEN $4 ELSE due_at_ms + 1 END
                         FROM clew.deliveries AS line
                         WHERE lb = $1 AND lead = blocked.lead AND destination = $2
                             AND state IN ('pending', 'sending', 'retry')
                         ORDER BY created_at_ms, hash LIMIT 1)
                 ORDER BY due_at_ms LIMIT $5 FOR UPDATE OF blocked SKIP LOCKED))
         RETURNING hash";
    /// A delivery.
    DELIVERY, Shard::One("lb"),
        "SELECT lead, hash, site, destination, kind, subject, state, due_at_ms, attempts, claims,
             created_at_ms, error
         FROM clew.deliveries WHERE lb = $1 AND lead = $2 AND hash = $3";
    /// The same, locked until the commit.
    TAKE_DELIVERY, Shard::One("lb"),
        "SELECT lead, hash, site, destination, kind, subject, state, due_at_ms, attempts, claims,
             created_at_ms, error
         FROM clew.deliveries WHERE lb = $1 AND lead = $2 AND hash = $3 FOR UPDATE";
    /// Changes a delivery.
    CHANGE_DELIVERY, Shard::One("lb"),
        "UPDATE clew.deliveries SET state = $4, due_at_ms = $5, attempts = $6, claims = $7, error = $8
         WHERE lb = $1 AND lead = $2 AND hash = $3";
    /// A delivery's body.
    BODY, Shard::One("lb"),
        "SELECT body FROM clew.deliveries WHERE lb = $1 AND lead = $2 AND hash = $3";
    /// Stores a body unless there is one, and returns the stored body.
    FREEZE_BODY, Shard::One("lb"),
        "UPDATE clew.deliveries SET body = coalesce(body, $4)
         WHERE lb = $1 AND lead = $2 AND hash = $3 RETURNING body";
    /// A lead's deliveries, if the lead is in this site.
    LEAD_DELIVERIES, Shard::One("lb"),
        "SELECT lead, hash, site, destination, kind, subject, state, due_at_ms, attempts, claims,
             created_at_ms, error
         FROM clew.deliveries WHERE lb = $1 AND lead = $2 AND site = $3
             AND state = ANY($4) AND (lead, hash) > ($5, $6)
         ORDER BY lead, hash LIMIT $7";
    /// A site's deliveries.
    DELIVERIES, Shard::Every,
        "SELECT lead, hash, site, destination, kind, subject, state, due_at_ms, attempts, claims,
             created_at_ms, error
         FROM clew.deliveries WHERE site = $1 AND state = ANY($2) AND (lead, hash) > ($3, $4)
         ORDER BY lead, hash LIMIT $5";
    /// A destination's deliveries.
    DESTINATION_DELIVERIES, Shard::Every,
        "SELECT lead, hash, site, destination, kind, subject, state, due_at_ms, attempts, claims,
             created_at_ms, error
         FROM clew.deliveries WHERE site = $1 AND destination = $2 AND state = ANY($3)
             AND (lead, hash) > ($4, $5)
         ORDER BY lead, hash LIMIT $6";
    /// A bucket's visitors after a given one.
    EXPORT_VISITORS, Shard::One("vb"),
        "SELECT site, visitor, document FROM clew.visitors
         WHERE vb = $1 AND (site, visitor) > ($2, $3) AND document IS NOT NULL
         ORDER BY site, visitor LIMIT $4";
    /// The rows of a range of visitors.
    EXPORT_EVENTS, Shard::One("vb"),
        "SELECT site, visitor, event, document FROM clew.events
         WHERE vb = $1 AND (site, visitor) >= ($2, $3) AND (site, visitor) <= ($4, $5)
         ORDER BY site, visitor, event";
    /// A bucket's leads after a given one.
    EXPORT_LEADS, Shard::One("lb"),
        "SELECT document FROM clew.leads WHERE lb = $1 AND lead > $2 ORDER BY lead LIMIT $3";
    /// The conversions of a range of leads.
    EXPORT_CONVERSIONS, Shard::One("lb"),
        "SELECT lead, document FROM clew.conversions WHERE lb = $1 AND lead BETWEEN $2 AND $3
         ORDER BY lead, conversion";
    /// The records of a range of leads.
    EXPORT_RECORDS, Shard::One("lb"),
        "SELECT lead, document FROM clew.records WHERE lb = $1 AND lead BETWEEN $2 AND $3
         ORDER BY lead, record";
    /// The deliveries of a range of leads, with their bodies.
    EXPORT_DELIVERIES, Shard::One("lb"),
        "SELECT lead, hash, site, destination, kind, subject, state, due_at_ms, attempts, claims,
             created_at_ms, error, body
         FROM clew.deliveries WHERE lb = $1 AND lead BETWEEN $2 AND $3 ORDER BY lead, hash";
    /// A bucket's identities of people after a given one; without the ids of conversions.
    EXPORT_IDENTITIES, Shard::One("ib"),
        "SELECT site, kind, value, lead FROM clew.identities
         WHERE ib = $1 AND (site, kind, value) > ($2, $3, $4) AND kind <> 'conversion'
         ORDER BY site, kind, value LIMIT $5";
    /// A bucket's idempotency keys after a given one.
    EXPORT_USED_KEYS, Shard::One("kb"),
        "SELECT request, lead, conversion, used_at_ms, site, key FROM clew.used_keys
         WHERE kb = $1 AND (site, key) > ($2, $3) ORDER BY site, key LIMIT $4";
    /// A bucket's unmatched records after a given one.
    EXPORT_UNMATCHED, Shard::One("ub"),
        "SELECT site, record, document FROM clew.unmatched
         WHERE ub = $1 AND (site, record) > ($2, $3) ORDER BY site, record LIMIT $4";
    /// A bucket's memos after a given one; without leases, which expire.
    EXPORT_MEMOS, Shard::One("mb"),
        "SELECT kind, name, stamp, value FROM clew.memos
         WHERE mb = $1 AND (kind, name) > ($2, $3) AND kind <> 'lease'
         ORDER BY kind, name LIMIT $4";
    /// Whether there is any visitor.
    ANY_VISITOR, Shard::Every, "SELECT 1 FROM clew.visitors LIMIT 1";
    /// Whether there is any lead.
    ANY_LEAD, Shard::Every, "SELECT 1 FROM clew.leads LIMIT 1";
    /// Whether there is any identity.
    ANY_IDENTITY, Shard::Every, "SELECT 1 FROM clew.identities LIMIT 1";
    /// Whether there is any idempotency key.
    ANY_USED_KEY, Shard::Every, "SELECT 1 FROM clew.used_keys LIMIT 1";
    /// Whether there is any unmatched record.
    ANY_UNMATCHED, Shard::Every, "SELECT 1 FROM clew.unmatched LIMIT 1";
    /// Whether there is any memo other than a lease.
    ANY_MEMO, Shard::Every, "SELECT 1 FROM clew.memos WHERE kind <> 'lease' LIMIT 1";
    /// The progress of an import.
    IMPORTING, Shard::Reference,
        "SELECT file, entities FROM clew.importing";
    /// The number of collectors' connections to this database.
    COLLECTORS, Shard::Node,
        "SELECT count(*) FROM pg_stat_activity
         WHERE datname = current_database() AND application_name = $1";
    /// Records the import's progress, unless another import has started in the meantime.
    PUT_IMPORTING, Shard::Reference,
        "INSERT INTO clew.importing (one, file, entities) VALUES (true, $1, $2)
         ON CONFLICT (one) DO UPDATE SET entities = excluded.entities
         WHERE importing.file = excluded.file AND importing.entities <= excluded.entities";
    /// Records that the import is complete.
    END_IMPORTING, Shard::Reference,
        "DELETE FROM clew.importing";
    /// Locks out other migrations through the same node until the connection ends.
    MIGRATE_ALONE, Shard::Node,
        "SELECT pg_advisory_lock($1)";
    /// Creates the schema.
    MAKE_SCHEMA, Shard::Node,
        "CREATE SCHEMA IF NOT EXISTS clew";
    /// The database's encoding, the server's version, and whether it took the connection's options.
    SERVER, Shard::Node,
        "SELECT current_setting('server_encoding'), current_setting('server_version_num')::int,
                coalesce(current_setting('clew_pool.direct', true), '') = '1'";
    /// Which of these tables do not exist.
    MISSING_TABLES, Shard::Node,
        "SELECT name FROM unnest($1::text[]) AS name WHERE to_regclass(name) IS NULL";
    /// The newest migration that has run.
    NEWEST_MIGRATION, Shard::Reference,
        "SELECT max(version) FROM clew.schema_history";
    /// The version of Citus, if it is installed.
    CITUS_VERSION, Shard::Node,
        "SELECT extversion FROM pg_extension WHERE extname = 'citus'";
    /// The tables that are already distributed or reference tables.
    CITUS_TABLES, Shard::Node,
        "SELECT nspname || '.' || relname FROM pg_dist_partition, pg_class, pg_namespace
         WHERE pg_class.oid = logicalrelid AND pg_namespace.oid = relnamespace";
    /// Makes tables that already contain rows move one after the other, over one connection per
    /// node.
    CITUS_SEQUENTIAL, Shard::Node,
        "SET LOCAL citus.multi_shard_modify_mode TO 'sequential'";
    /// Makes a table a reference table: every node gets a full copy.
    CITUS_REFERENCE, Shard::Node,
        "SELECT create_reference_table($1::text::regclass)";
    /// Distributes a table over the nodes by its bucket, co-located with another one.
    CITUS_DISTRIBUTE, Shard::Node,
        "SELECT create_distributed_table($1::text::regclass, $2, colocate_with => $3)";
    /// Lifts the time limits for an export: it locks no rows, and it or its reader may be slow.
    NO_LIMITS, Shard::Node,
        "SELECT set_config('idle_in_transaction_session_timeout', '0', true),
             set_config('statement_timeout', '0', true)";
    /// Tests whether writes are accepted, with a row that serves no other purpose.
    PROBE, Shard::Rows("rb"),
        "INSERT INTO clew.readiness (rb, probes) VALUES ($1, 1)
         ON CONFLICT (rb) DO UPDATE SET probes = readiness.probes + 1";
}
