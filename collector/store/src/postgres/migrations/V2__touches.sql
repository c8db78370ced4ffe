-- Documents tell more than they did: how each touch began and by which evidence, and for which hosts a
-- page was left. No statement can tell it of what was written before, so a database that holds visitors
-- is left as it is.

DO $$
BEGIN
    PERFORM FROM clew.visitors LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'its visitors were written by an earlier version of clew: use that one, or a new database';
    END IF;
END
$$;
