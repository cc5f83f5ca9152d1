//! Both engines have the same tables, and they are the ones in `schema.txt`.
//!
//! `BLESS=1` writes the file anew.

use crate::Place;
use crate::raw::Raw;

const GOLDEN: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/schema.txt");

const SQLITE: &str = "
    SELECT line FROM (
        SELECT t.name || '.' || c.name || ' ' || CASE c.type
                   WHEN 'INTEGER' THEN 'integer' WHEN 'TEXT' THEN 'text' ELSE 'bytes' END
               || CASE WHEN c.\"notnull\" THEN '' ELSE ' or null' END
               || CASE WHEN c.pk > 0 THEN ' key ' || c.pk ELSE '' END AS line, 1 AS part, t.name, c.cid AS place
        FROM sqlite_master AS t JOIN pragma_table_info(t.name) AS c WHERE t.type = 'table'
        UNION ALL
        SELECT 'index ' || i.name || ' on ' || t.name || ' (' || group_concat(c.name, ', ' ORDER BY c.seqno) || ')'
               || CASE WHEN i.\"unique\" THEN ' unique' ELSE '' END
               || CASE WHEN i.partial THEN ' partial' ELSE '' END, 2, i.name, 0
        FROM sqlite_master AS t JOIN pragma_index_list(t.name) AS i JOIN pragma_index_info(i.name) AS c
        WHERE t.type = 'table' AND i.origin = 'c' GROUP BY i.name
    ) ORDER BY part, name, place";

const POSTGRES: &str = "
    SELECT line FROM (
        SELECT c.table_name || '.' || c.column_name || ' ' || CASE c.data_type
                   WHEN 'bigint' THEN 'integer' WHEN 'integer' THEN 'integer' WHEN 'text' THEN 'text'
                   ELSE 'bytes' END
               || CASE WHEN c.is_nullable = 'NO' THEN '' ELSE ' or null' END
               || COALESCE(' key ' || k.ordinal_position, '') AS line,
               1 AS part, CAST(c.table_name AS TEXT) AS name, CAST(c.ordinal_position AS INTEGER) AS place
        FROM information_schema.columns AS c
        LEFT JOIN (information_schema.key_column_usage AS k JOIN information_schema.table_constraints AS p
                   ON p.constraint_name = k.constraint_name AND p.constraint_type = 'PRIMARY KEY')
            ON k.table_name = c.table_name AND k.column_name = c.column_name
        WHERE c.table_schema = 'public'
        UNION ALL
        SELECT 'index ' || n.relname || ' on ' || t.relname || ' ('
               || string_agg(CAST(a.attname AS TEXT), ', ' ORDER BY array_position(i.indkey::int2[], a.attnum)) || ')'
               || CASE WHEN i.indisunique THEN ' unique' ELSE '' END
               || CASE WHEN i.indpred IS NOT NULL THEN ' partial' ELSE '' END, 2, n.relname, 0
        FROM pg_index AS i JOIN pg_class AS n ON n.oid = i.indexrelid JOIN pg_class AS t ON t.oid = i.indrelid
        JOIN pg_attribute AS a ON a.attrelid = t.oid AND a.attnum = ANY (i.indkey)
        WHERE n.relnamespace = 'public'::regnamespace AND NOT i.indisprimary
        GROUP BY n.relname, t.relname, i.indisunique, i.indpred IS NOT NULL
    ) AS lines ORDER BY part, name COLLATE \"C\", place";

async fn lines(place: &Place) -> String {
    place.store().await.close().await.unwrap();
    let sql = if place.is_sqlite() { SQLITE } else { POSTGRES };
    let mut text = Raw::open(place).await.texts(sql).await.join("\n");
    text.push('\n');
    text
}

#[tokio::test]
async fn the_tables_of_both_engines_are_those_of_the_golden_file() {
    let sqlite = lines(&Place::sqlite()).await;
    #[expect(clippy::disallowed_methods, reason = "tests are configured by their environment")]
    if std::env::var("BLESS").is_ok_and(|v| v == "1") {
        std::fs::write(GOLDEN, &sqlite).unwrap();
    }
    assert_eq!(sqlite, std::fs::read_to_string(GOLDEN).unwrap(), "run with BLESS=1 if this is meant");
    if let Some(place) = Place::postgres() {
        assert_eq!(lines(&place).await, sqlite, "the engines have drifted apart");
    }
}
