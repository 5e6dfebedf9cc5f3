-- Reads the files of a ledger into memory, once, for the other queries of this folder.
--
--   SET VARIABLE usage_files = ['logs/usage.jsonl'];           -- also .jsonl.gz and .jsonl.zst
--   SET VARIABLE anomaly_files = ['logs/anomalies.jsonl'];
--   SET VARIABLE since = NULL;                                 -- Unix seconds, or NULL for all
--   SET VARIABLE session = NULL;                               -- 16 hex digits, or NULL for all
--   .read load.sql
--
-- A line is a record where it is a JSON object with a number as "ts"; any other is damaged, and is
-- kept as a row without a "ts", so that it can be counted. A field that is not of its type is NULL.

CREATE OR REPLACE TABLE usage_lines AS
SELECT
  CASE WHEN json_type(ts) IN ('DOUBLE', 'UBIGINT', 'BIGINT') THEN CAST(ts AS DOUBLE) END AS ts,
  * EXCLUDE (ts)
FROM read_json(
  getvariable('usage_files'),
  format = 'newline_delimited',
  ignore_errors = true,
  columns = {
    ts: 'JSON',
    rid: 'VARCHAR',
    lane: 'VARCHAR',
    upstream: 'VARCHAR',
    decision: 'VARCHAR',
    model: 'VARCHAR',
    model_sent: 'VARCHAR',
    model_served: 'VARCHAR',
    op: 'VARCHAR',
    status: 'INTEGER',
    err_type: 'VARCHAR',
    h2: 'BOOLEAN',
    header_mode: 'VARCHAR',
    latency_ms: 'DOUBLE',
    ttfb_ms: 'DOUBLE',
    input_tokens: 'BIGINT',
    output_tokens: 'BIGINT',
    cache_read_tokens: 'BIGINT',
    cache_write_tokens: 'BIGINT',
    retry: 'BOOLEAN',
    attempts: 'BIGINT',
    backoff_ms: 'BIGINT',
    bytes_up: 'BIGINT',
    bytes_down: 'BIGINT',
    sse: 'VARCHAR',
    intact: 'BOOLEAN',
    agent: 'VARCHAR',
    session: 'VARCHAR',
    path: 'VARCHAR'
  }
);

CREATE OR REPLACE TABLE anomaly_lines AS
SELECT
  CASE WHEN json_type(ts) IN ('DOUBLE', 'UBIGINT', 'BIGINT') THEN CAST(ts AS DOUBLE) END AS ts,
  * EXCLUDE (ts)
FROM read_json(
  getvariable('anomaly_files'),
  format = 'newline_delimited',
  ignore_errors = true,
  columns = { ts: 'JSON', kind: 'VARCHAR', lane: 'VARCHAR', code: 'VARCHAR' }
);

CREATE OR REPLACE VIEW usage AS
FROM usage_lines
WHERE ts IS NOT NULL
  AND (getvariable('since') IS NULL OR ts >= getvariable('since'))
  AND (getvariable('session') IS NULL OR session = getvariable('session'));

-- An anomaly knows its exchange, not its session: the session does not select here.
CREATE OR REPLACE VIEW anomalies AS
FROM anomaly_lines
WHERE ts IS NOT NULL
  AND (getvariable('since') IS NULL OR ts >= getvariable('since'));

CREATE OR REPLACE TABLE frequent_models AS
SELECT model
FROM usage
WHERE model IS NOT NULL
GROUP BY model
ORDER BY count(*) DESC, model
LIMIT 100;
