-- What lists are filtered by. Both follow from the record and are compared with it whenever it is read. A row that is
-- no JSON keeps them empty: it is not what the gate wrote, and is set aside when it is read.
ALTER TABLE proposal ADD COLUMN action TEXT NOT NULL DEFAULT '';
ALTER TABLE proposal ADD COLUMN environment TEXT NOT NULL DEFAULT '';

UPDATE proposal SET
    action = COALESCE((
        SELECT CASE WHEN json_valid(text) THEN json_extract(text, '$.action') END FROM (
            SELECT CASE WHEN proposal.format = 1 THEN (
                SELECT s.body FROM proposal_part AS s WHERE s.proposal = proposal.id AND s.name = 'input'
                ORDER BY s.version DESC LIMIT 1
            ) ELSE proposal.header END AS text
        )
    ), ''),
    environment = COALESCE((
        SELECT CASE WHEN json_valid(s.body) THEN
            json_extract(s.body, CASE WHEN proposal.format = 1 THEN '$.facts.environment' ELSE '$[0].environment' END)
        END
        FROM proposal_part AS s WHERE s.proposal = proposal.id AND s.name = 'preview'
        ORDER BY s.version DESC LIMIT 1
    ), '');

CREATE INDEX proposal_by_action ON proposal (action, seq);
