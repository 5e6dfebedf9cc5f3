-- What the ledger holds: records, damaged lines, and the time of the first and the last exchange.
SELECT
  (SELECT count(*) FROM usage) AS records,
  (SELECT count(*) FROM usage_lines WHERE ts IS NULL) AS damaged,
  (SELECT min(ts) FROM usage) AS first_ts,
  (SELECT max(ts) FROM usage) AS last_ts,
  (SELECT count(*) FROM anomalies) AS anomaly_records,
  (SELECT count(*) FROM anomaly_lines WHERE ts IS NULL) AS anomaly_damaged;
