CREATE SEQUENCE weixin_logins;
CREATE TABLE weixin_accounts (
    account text PRIMARY KEY, token text NOT NULL, base_url text, user_id text, login bigint NOT NULL
);
CREATE INDEX weixin_accounts_user ON weixin_accounts (user_id);
-- Counts changes of the accounts, so that a fleet reads them only when there is something new.
CREATE TABLE weixin_revision (revision bigint NOT NULL);
INSERT INTO weixin_revision VALUES (0);

-- A process is alive for as long as its row is here; who finds it expired removes it, and it never comes back.
CREATE TABLE weixin_processes (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, name text NOT NULL, member boolean NOT NULL,
    expires timestamptz NOT NULL
) WITH (fillfactor = 50);
CREATE TABLE weixin_leases (
    account text PRIMARY KEY, generation bigint NOT NULL, process bigint, holder text NOT NULL
);
-- Leases that were taken away from a living process.
CREATE TABLE weixin_revoked (process bigint NOT NULL, account text NOT NULL, generation bigint NOT NULL);
CREATE INDEX weixin_revoked_process ON weixin_revoked (process);

CREATE TABLE weixin_cursors (account text PRIMARY KEY, cursor text NOT NULL) WITH (fillfactor = 70);
CREATE TABLE weixin_tokens (
    account text NOT NULL, user_id text NOT NULL, token text NOT NULL, updated_ms bigint NOT NULL,
    PRIMARY KEY (account, user_id)
);
CREATE INDEX weixin_tokens_folded ON weixin_tokens (account, lower(user_id COLLATE "C"));
-- state: 0 new, 1 done, 2 dead, 3 a handler had it
CREATE TABLE weixin_journal (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, account text NOT NULL, key text NOT NULL, content text,
    peer text NOT NULL, raw text NOT NULL, state smallint NOT NULL, attempts integer NOT NULL DEFAULT 0,
    reason text, received_ms bigint NOT NULL, UNIQUE (account, key)
);
CREATE INDEX weixin_journal_open ON weixin_journal (account, id) WHERE state IN (0, 3);
CREATE INDEX weixin_journal_dead ON weixin_journal (account, id) WHERE state = 2;
CREATE INDEX weixin_journal_done ON weixin_journal (account, id) WHERE state = 1;
CREATE INDEX weixin_journal_content ON weixin_journal (account, content, received_ms) WHERE content IS NOT NULL;
CREATE TABLE weixin_ledger (
    account text NOT NULL, user_id text NOT NULL, inbound_ms bigint, sends bigint NOT NULL DEFAULT 0,
    send_ms bigint, bytes bigint NOT NULL DEFAULT 0, PRIMARY KEY (account, user_id)
);
CREATE TABLE weixin_health (account text PRIMARY KEY, ids_seen boolean NOT NULL, suppressed_ms bigint);
CREATE TABLE weixin_outbox (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, account text NOT NULL, user_id text NOT NULL,
    client_id text NOT NULL, item text NOT NULL, run text, created_ms bigint NOT NULL, expires_ms bigint NOT NULL,
    UNIQUE (account, client_id)
);
CREATE INDEX weixin_ledger_folded ON weixin_ledger (account, lower(user_id COLLATE "C"));
CREATE INDEX weixin_outbox_user ON weixin_outbox (account, user_id, id);
CREATE INDEX weixin_outbox_order ON weixin_outbox (account, id);

CREATE TABLE weixin_allowed (
    account text NOT NULL, user_id text NOT NULL, place bigint GENERATED ALWAYS AS IDENTITY,
    PRIMARY KEY (account, user_id)
);
CREATE TABLE weixin_pairing (
    code text PRIMARY KEY, account text NOT NULL, user_id text NOT NULL, created_ms bigint NOT NULL,
    UNIQUE (account, user_id)
);
CREATE TABLE weixin_quotes (
    account text NOT NULL, conversation text NOT NULL, message_id bigint NOT NULL, outbound boolean NOT NULL,
    body text NOT NULL, media_path text, media_mime text, media_name text, media_size bigint, created_ms bigint NOT NULL,
    PRIMARY KEY (account, conversation, message_id)
);
CREATE INDEX weixin_quotes_time ON weixin_quotes (account, conversation, created_ms);
CREATE INDEX weixin_quotes_age ON weixin_quotes (created_ms);

-- Locks, all of one transaction, always taken in the order of these numbers: 1 an account's lease (shared by what is
-- written with one, alone by what gives a new one), 2 a user's budget, 3 an account's outbox, 4 logins of a user,
-- 5 pairing codes.

CREATE FUNCTION weixin_fence(a text, g bigint) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    IF g IS NULL THEN RETURN; END IF;
    PERFORM pg_advisory_xact_lock_shared(hashtextextended(a, 1));
    IF EXISTS (SELECT 1 FROM weixin_leases l WHERE l.account = a AND l.generation > g) THEN
        RAISE EXCEPTION 'a later lease of the account was given out' USING ERRCODE = 'WX001';
    END IF;
END $$;

CREATE FUNCTION weixin_beat(me bigint, life_ms bigint)
RETURNS TABLE (account text, generation bigint) LANGUAGE plpgsql AS $$
BEGIN
    UPDATE weixin_processes p SET expires = clock_timestamp() + life_ms * interval '1 millisecond'
        WHERE p.id = me AND p.expires > clock_timestamp();
    IF NOT FOUND THEN
        RAISE EXCEPTION 'the process was not heard of for too long' USING ERRCODE = 'WX002';
    END IF;
    DELETE FROM weixin_processes p WHERE p.id IN (
        SELECT d.id FROM weixin_processes d WHERE d.expires <= clock_timestamp() FOR UPDATE SKIP LOCKED);
    RETURN QUERY DELETE FROM weixin_revoked r WHERE r.process = me RETURNING r.account, r.generation;
END $$;

CREATE FUNCTION weixin_acquire(a text, me bigint, h text)
RETURNS TABLE (generation bigint, other text) LANGUAGE plpgsql AS $$
DECLARE found_other text;
BEGIN
    PERFORM pg_advisory_xact_lock(hashtextextended(a, 1));
    -- Waits for a heartbeat that is on its way, and then looks again.
    DELETE FROM weixin_processes p USING weixin_leases l
        WHERE l.account = a AND p.id = l.process AND p.expires <= clock_timestamp();
    SELECT l.holder INTO found_other FROM weixin_leases l JOIN weixin_processes p ON p.id = l.process
        WHERE l.account = a;
    IF FOUND THEN
        RETURN QUERY SELECT NULL::bigint, found_other;
        RETURN;
    END IF;
    IF NOT EXISTS (SELECT 1 FROM weixin_processes p WHERE p.id = me AND p.expires > clock_timestamp()) THEN
        RAISE EXCEPTION 'the process was not heard of for too long' USING ERRCODE = 'WX002';
    END IF;
    RETURN QUERY INSERT INTO weixin_leases AS l VALUES (a, 1, me, h)
        ON CONFLICT (account) DO UPDATE SET generation = l.generation + 1, process = me, holder = h
        RETURNING l.generation, NULL::text;
END $$;

CREATE FUNCTION weixin_set_token(a text, u text, t text, at_ms bigint) RETURNS void LANGUAGE sql AS $$
    INSERT INTO weixin_tokens VALUES (a, u, t, at_ms) ON CONFLICT (account, user_id)
        DO UPDATE SET token = excluded.token, updated_ms = excluded.updated_ms;
$$;

-- Which of the entries are new, as their places from 1 on, with their numbers.
CREATE FUNCTION weixin_ingest(
    a text, g bigint, new_cursor text, now_ms bigint, keys text[], contents text[], withins bigint[], peers text[],
    raws text[], written bigint[], reasons text[], tokens text[],
    dispatched boolean[]
) RETURNS TABLE (place integer, id bigint) LANGUAGE plpgsql AS $$
DECLARE n integer; new_id bigint; at_ms bigint;
BEGIN
    PERFORM weixin_fence(a, g);
    FOR n IN 1 .. coalesce(array_length(keys, 1), 0) LOOP
        new_id := NULL;
        IF contents[n] IS NULL OR NOT EXISTS (
            SELECT 1 FROM weixin_journal j WHERE j.account = a AND j.content = contents[n]
            AND j.received_ms BETWEEN now_ms - withins[n] AND now_ms
        ) THEN
            INSERT INTO weixin_journal AS j (account, key, content, peer, raw, state, attempts, reason, received_ms)
                VALUES (a, keys[n], contents[n], peers[n], raws[n],
                        CASE WHEN reasons[n] IS NOT NULL THEN 2 WHEN dispatched[n] THEN 3 ELSE 0 END,
                        dispatched[n]::integer, reasons[n], now_ms)
                ON CONFLICT (account, key) DO NOTHING RETURNING j.id INTO new_id;
        END IF;
        IF new_id IS NOT NULL AND reasons[n] IS NULL THEN
            at_ms := least(coalesce(written[n], now_ms), now_ms);
            INSERT INTO weixin_ledger AS l (account, user_id, inbound_ms) VALUES (a, peers[n], at_ms)
                ON CONFLICT (account, user_id) DO UPDATE SET inbound_ms = excluded.inbound_ms, sends = 0, bytes = 0
                WHERE l.inbound_ms IS NULL OR l.inbound_ms <= excluded.inbound_ms OR l.inbound_ms > now_ms;
            place := n; id := new_id;
            RETURN NEXT;
        END IF;
        IF tokens[n] <> '' THEN
            PERFORM weixin_set_token(a, peers[n], tokens[n], now_ms);
        END IF;
    END LOOP;
    INSERT INTO weixin_cursors AS c VALUES (a, new_cursor)
        ON CONFLICT (account) DO UPDATE SET cursor = excluded.cursor WHERE c.cursor <> excluded.cursor;
END $$;

-- what: 0 dispatched, 1 done, 2 failed, 3 failed for good, 4 returned. tries: which attempt it is, from 1.
CREATE FUNCTION weixin_settle(a text, g bigint, ids bigint[], what smallint[], tries integer[], reasons text[])
RETURNS void LANGUAGE plpgsql AS $$
DECLARE n integer;
BEGIN
    PERFORM weixin_fence(a, g);
    IF array_length(ids, 1) > 1 THEN
        -- Two that settle the same messages in another order wait for each other in one.
        PERFORM 1 FROM weixin_journal j WHERE j.id = ANY (ids) ORDER BY j.id FOR UPDATE;
    END IF;
    FOR n IN 1 .. coalesce(array_length(ids, 1), 0) LOOP
        IF what[n] = 0 THEN
            UPDATE weixin_journal j SET state = 3, attempts = greatest(j.attempts, tries[n])
                WHERE j.account = a AND j.id = ids[n] AND j.state IN (0, 3);
        ELSIF what[n] = 1 THEN
            UPDATE weixin_journal j SET state = 1, raw = '', peer = '', reason = NULL
                WHERE j.account = a AND j.id = ids[n] AND j.state IN (0, 3);
        ELSIF what[n] = 4 THEN
            UPDATE weixin_journal j SET attempts = tries[n] - 1
                WHERE j.account = a AND j.id = ids[n] AND j.state IN (0, 3) AND j.attempts = tries[n];
        ELSE
            UPDATE weixin_journal j SET attempts = greatest(j.attempts, tries[n]), reason = reasons[n],
                state = CASE WHEN what[n] = 3 THEN 2 ELSE 3 END
                WHERE j.account = a AND j.id = ids[n] AND j.state IN (0, 3);
        END IF;
    END LOOP;
END $$;

CREATE FUNCTION weixin_prune(
    a text, done_ms bigint, done_rows bigint, dead_ms bigint, dead_rows bigint, users_ms bigint, unanswered_rows bigint
) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE gone bigint := 0; n bigint; forgotten text[];
BEGIN
    DELETE FROM weixin_journal j WHERE j.account = a AND j.state = 1 AND j.received_ms < done_ms;
    GET DIAGNOSTICS n = ROW_COUNT; gone := gone + n;
    DELETE FROM weixin_journal j WHERE j.account = a AND j.state = 1 AND j.id <= (
        SELECT o.id FROM weixin_journal o WHERE o.account = a AND o.state = 1
        ORDER BY o.id DESC LIMIT 1 OFFSET done_rows);
    GET DIAGNOSTICS n = ROW_COUNT; gone := gone + n;
    DELETE FROM weixin_journal j WHERE j.account = a AND j.state = 2 AND j.received_ms < dead_ms;
    GET DIAGNOSTICS n = ROW_COUNT; gone := gone + n;
    DELETE FROM weixin_journal j WHERE j.account = a AND j.state = 2 AND j.id <= (
        SELECT o.id FROM weixin_journal o WHERE o.account = a AND o.state = 2
        ORDER BY o.id DESC LIMIT 1 OFFSET dead_rows);
    GET DIAGNOSTICS n = ROW_COUNT; gone := gone + n;
    -- Users of long ago, and of those to whom nothing was ever sent all but the last who wrote.
    SELECT array_agg(f.user_id) INTO forgotten FROM (
        SELECT l.user_id FROM weixin_ledger l WHERE l.account = a
            AND greatest(coalesce(l.inbound_ms, 0), coalesce(l.send_ms, 0)) < users_ms
        UNION
        (SELECT l.user_id FROM weixin_ledger l WHERE l.account = a AND l.send_ms IS NULL
            ORDER BY l.inbound_ms DESC, l.user_id OFFSET unanswered_rows)
        EXCEPT SELECT j.peer FROM weixin_journal j WHERE j.account = a AND j.state IN (0, 3)
        EXCEPT SELECT o.user_id FROM weixin_outbox o WHERE o.account = a
    ) AS f;
    DELETE FROM weixin_tokens t WHERE t.account = a AND t.user_id = ANY (forgotten);
    GET DIAGNOSTICS n = ROW_COUNT; gone := gone + n;
    DELETE FROM weixin_ledger l WHERE l.account = a AND l.user_id = ANY (forgotten);
    GET DIAGNOSTICS n = ROW_COUNT; gone := gone + n;
    DELETE FROM weixin_tokens t WHERE t.account = a AND t.updated_ms < users_ms
        AND NOT EXISTS (SELECT 1 FROM weixin_ledger l WHERE l.account = a AND l.user_id = t.user_id);
    GET DIAGNOSTICS n = ROW_COUNT; gone := gone + n;
    RETURN gone;
END $$;

CREATE FUNCTION weixin_forget(a text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_advisory_xact_lock(hashtextextended(a, 1));
    INSERT INTO weixin_revoked SELECT l.process, l.account, l.generation FROM weixin_leases l
        JOIN weixin_processes p ON p.id = l.process WHERE l.account = a;
    UPDATE weixin_leases l SET generation = l.generation + 1, process = NULL, holder = '' WHERE l.account = a;
    DELETE FROM weixin_cursors c WHERE c.account = a;
    DELETE FROM weixin_tokens t WHERE t.account = a;
    DELETE FROM weixin_journal j WHERE j.account = a;
    DELETE FROM weixin_ledger l WHERE l.account = a;
    DELETE FROM weixin_health h WHERE h.account = a;
    DELETE FROM weixin_outbox o WHERE o.account = a;
END $$;

-- How a user is spelled on the wire: as given; but for an id that was lower-cased on its way, and is nobody's own, like
-- the only one who has written and fits.
CREATE FUNCTION weixin_spelled(a text, u text) RETURNS text LANGUAGE sql STABLE AS $$
    SELECT coalesce(CASE WHEN u = lower(u COLLATE "C") THEN (
        SELECT min(k.user_id) FROM (
            SELECT t.user_id FROM weixin_tokens t WHERE t.account = a AND lower(t.user_id COLLATE "C") = u
            UNION
            SELECT l.user_id FROM weixin_ledger l
            WHERE l.account = a AND lower(l.user_id COLLATE "C") = u AND l.inbound_ms IS NOT NULL
        ) AS k HAVING count(*) = 1) END, u);
$$;

CREATE FUNCTION weixin_send_context(a text, u text) RETURNS TABLE (
    user_id text, token text, inbound_ms bigint, sends bigint, send_ms bigint, bytes bigint, ids_seen boolean,
    suppressed_ms bigint
) LANGUAGE sql STABLE AS $$
    SELECT t.user_id, t.token, l.inbound_ms, l.sends, l.send_ms, l.bytes, h.ids_seen, h.suppressed_ms
    FROM weixin_spelled(a, u) AS s (user_id)
    LEFT JOIN weixin_tokens t ON t.account = a AND t.user_id = s.user_id
    LEFT JOIN weixin_ledger l ON l.account = a AND l.user_id = s.user_id
    LEFT JOIN weixin_health h ON h.account = a;
$$;

CREATE FUNCTION weixin_reserve(
    a text, g bigint, u text, want bigint, want_bytes bigint, max_sends bigint, after_ms bigint, unknown boolean,
    now_ms bigint
) RETURNS TABLE (
    granted boolean, user_id text, token text, inbound_ms bigint, sends bigint, send_ms bigint, bytes bigint,
    ids_seen boolean, suppressed_ms bigint
) LANGUAGE plpgsql AS $$
DECLARE c record; ok boolean;
BEGIN
    PERFORM weixin_fence(a, g);
    PERFORM pg_advisory_xact_lock(hashtextextended(a || ' ' || lower(u COLLATE "C"), 2));
    SELECT * INTO c FROM weixin_send_context(a, u);
    ok := (c.user_id IS NOT NULL OR unknown)
        AND (max_sends IS NULL OR coalesce(c.sends, 0) + want <= max_sends)
        AND (after_ms IS NULL OR c.inbound_ms IS NULL OR c.inbound_ms > after_ms);
    IF ok THEN
        INSERT INTO weixin_ledger AS l (account, user_id, sends, send_ms, bytes)
            VALUES (a, coalesce(c.user_id, u), want, now_ms, want_bytes)
            ON CONFLICT ON CONSTRAINT weixin_ledger_pkey DO UPDATE SET sends = l.sends + excluded.sends,
            send_ms = excluded.send_ms, bytes = l.bytes + excluded.bytes;
    END IF;
    RETURN QUERY SELECT ok, d.* FROM weixin_send_context(a, u) d;
END $$;

CREATE FUNCTION weixin_record_send(
    a text, g bigint, u text, unused bigint, unused_bytes bigint, answers bigint, named boolean, now_ms bigint
) RETURNS TABLE (ids_seen boolean, suppressed_ms bigint) LANGUAGE plpgsql AS $$
BEGIN
    PERFORM weixin_fence(a, g);
    IF unused > 0 THEN
        UPDATE weixin_ledger l SET sends = greatest(l.sends - unused, 0), bytes = greatest(l.bytes - unused_bytes, 0)
            WHERE l.account = a AND l.user_id = u AND l.inbound_ms IS NOT DISTINCT FROM answers;
    END IF;
    IF named IS NOT NULL THEN
        INSERT INTO weixin_health AS h VALUES (a, named, NULL) ON CONFLICT (account) DO UPDATE SET
            ids_seen = h.ids_seen OR named,
            suppressed_ms = CASE WHEN named THEN NULL WHEN h.ids_seen THEN coalesce(h.suppressed_ms, now_ms)
                                 ELSE h.suppressed_ms END
            WHERE NOT (h.ids_seen AND h.suppressed_ms IS NULL AND named);
    END IF;
    RETURN QUERY SELECT h.ids_seen, h.suppressed_ms FROM weixin_health h WHERE h.account = a;
END $$;

CREATE FUNCTION weixin_enqueue(
    a text, g bigint, cap bigint, users text[], client_ids text[], items text[], runs text[], created bigint[],
    expires bigint[]
) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
    PERFORM weixin_fence(a, g);
    PERFORM pg_advisory_xact_lock(hashtextextended(a, 3));
    INSERT INTO weixin_outbox (account, user_id, client_id, item, run, created_ms, expires_ms)
        SELECT a, i.u, i.c, i.t, i.r, i.f, i.e
        FROM unnest(users, client_ids, items, runs, created, expires) WITH ORDINALITY AS i (u, c, t, r, f, e, n)
        ORDER BY i.n
        ON CONFLICT (account, client_id) DO NOTHING;
    IF FOUND AND EXISTS (
        SELECT 1 FROM weixin_outbox o WHERE o.account = a AND o.user_id = ANY (users) GROUP BY o.user_id
        HAVING count(*) > cap
    ) THEN
        -- Takes back what was put in.
        RAISE EXCEPTION 'more than may wait' USING ERRCODE = 'WX003';
    END IF;
    RETURN true;
END $$;

CREATE FUNCTION weixin_dequeue(a text, g bigint, ids bigint[]) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    PERFORM weixin_fence(a, g);
    DELETE FROM weixin_outbox o WHERE o.account = a AND o.id = ANY (ids);
END $$;

-- The older accounts of the same user, which are retired.
CREATE FUNCTION weixin_save_login(a text, t text, url text, u text) RETURNS TABLE (retired text) LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_advisory_xact_lock(hashtextextended(coalesce(u, ''), 4));
    INSERT INTO weixin_accounts VALUES (a, t, url, u, nextval('weixin_logins')) ON CONFLICT (account) DO UPDATE
        SET token = excluded.token, base_url = excluded.base_url, user_id = excluded.user_id, login = excluded.login;
    FOR retired IN DELETE FROM weixin_accounts o WHERE o.user_id = u AND o.account <> a RETURNING o.account LOOP
        INSERT INTO weixin_allowed (account, user_id)
            SELECT a, w.user_id FROM weixin_allowed w WHERE w.account = retired ORDER BY w.place ON CONFLICT DO NOTHING;
        DELETE FROM weixin_allowed w WHERE w.account = retired;
        DELETE FROM weixin_pairing w WHERE w.account = retired;
        RETURN NEXT;
    END LOOP;
    UPDATE weixin_revision SET revision = revision + 1;
END $$;

CREATE FUNCTION weixin_remove_account(a text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    DELETE FROM weixin_accounts o WHERE o.account = a;
    IF FOUND THEN
        UPDATE weixin_revision SET revision = revision + 1;
    END IF;
    DELETE FROM weixin_allowed w WHERE w.account = a;
    DELETE FROM weixin_pairing w WHERE w.account = a;
END $$;

-- NULL if no more may be open. Of the codes the first that nobody has.
CREATE FUNCTION weixin_request_pairing(
    a text, u text, codes text[], max_open bigint, oldest_ms bigint, now_ms bigint
) RETURNS TABLE (code text, created boolean) LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_advisory_xact_lock(5);
    DELETE FROM weixin_pairing p WHERE p.created_ms <= oldest_ms;
    SELECT p.code INTO code FROM weixin_pairing p WHERE p.account = a AND p.user_id = u;
    IF FOUND THEN
        created := false;
        RETURN NEXT;
        RETURN;
    END IF;
    IF (SELECT count(*) FROM weixin_pairing p WHERE p.account = a) >= max_open THEN RETURN; END IF;
    SELECT c.code INTO code FROM unnest(codes) WITH ORDINALITY AS c (code, n)
        WHERE NOT EXISTS (SELECT 1 FROM weixin_pairing p WHERE p.code = c.code) ORDER BY c.n LIMIT 1;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'no code is free' USING ERRCODE = '40001';
    END IF;
    INSERT INTO weixin_pairing VALUES (code, a, u, now_ms);
    created := true;
    RETURN NEXT;
END $$;

CREATE FUNCTION weixin_take_pairing(c text, oldest_ms bigint, approve boolean)
RETURNS TABLE (account text, user_id text, created_ms bigint) LANGUAGE plpgsql AS $$
BEGIN
    FOR account, user_id, created_ms IN
        DELETE FROM weixin_pairing p WHERE p.code = c AND p.created_ms > oldest_ms
        RETURNING p.account, p.user_id, p.created_ms
    LOOP
        IF approve THEN
            INSERT INTO weixin_allowed AS w (account, user_id) VALUES (account, user_id)
                ON CONFLICT ON CONSTRAINT weixin_allowed_pkey DO NOTHING;
        END IF;
        RETURN NEXT;
    END LOOP;
END $$;
