-- What lists are filtered by. Both follow from the record and are compared with it whenever it is read. A row that is
-- no JSON keeps them empty: it is not what the gate wrote, and is set aside when it is read.
ALTER TABLE proposal ADD COLUMN action TEXT COLLATE "C" NOT NULL DEFAULT '';
ALTER TABLE proposal ADD COLUMN environment TEXT COLLATE "C" NOT NULL DEFAULT '';

CREATE FUNCTION pg_temp.member(body TEXT, place TEXT[]) RETURNS TEXT LANGUAGE plpgsql AS $$
BEGIN
    RETURN body::json #>> place;
EXCEPTION WHEN OTHERS THEN
    RETURN NULL;
END
$$;

UPDATE proposal AS p SET
    action = COALESCE(pg_temp.member(CASE WHEN p.format = 1 THEN (
        SELECT s.body FROM proposal_part AS s WHERE s.proposal = p.id AND s.name = 'input'
        ORDER BY s.version DESC LIMIT 1
    ) ELSE p.header END, '{action}'), ''),
    environment = COALESCE(pg_temp.member(
        (SELECT s.body FROM proposal_part AS s WHERE s.proposal = p.id AND s.name = 'preview'
         ORDER BY s.version DESC LIMIT 1),
        CASE WHEN p.format = 1 THEN '{facts,environment}'::TEXT[] ELSE '{0,environment}'::TEXT[] END
    ), '');

DROP FUNCTION pg_temp.member(TEXT, TEXT[]);

CREATE INDEX proposal_by_action ON proposal (action, seq);
