-- A proposal is a header, rewritten with each move, and parts, each written once. `format` is the version of the
-- header: rows of version 1 are read as they are, with their own authentication code, until they move.
ALTER TABLE proposal RENAME COLUMN moving TO header;
ALTER TABLE proposal ADD COLUMN format BIGINT NOT NULL DEFAULT 1;

-- What is erased together with its salt (T122). `version` is the one of the record that wrote the part; the header
-- names it and holds its digest. Parts of a header of version 1 have the version 0.
CREATE TABLE proposal_part (
    proposal     TEXT COLLATE "C" NOT NULL,
    name         TEXT COLLATE "C" NOT NULL,
    version      BIGINT  NOT NULL,
    body         TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (proposal, name, version)
);

INSERT INTO proposal_part (proposal, name, version, body) SELECT id, 'input', 0, body FROM proposal;
INSERT INTO proposal_part (proposal, name, version, body) SELECT id, 'preview', 0, binding FROM proposal;

ALTER TABLE proposal DROP COLUMN body;
ALTER TABLE proposal DROP COLUMN binding;

-- The leaf hash, made with the entry. Entries of before have none, and it is made when they become leaves.
ALTER TABLE log_entry ADD COLUMN leaf BYTEA;
