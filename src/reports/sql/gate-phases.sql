-- What the ledger holds of single drills, by the session that each of them marks its records with.
--
--   SET VARIABLE marks = ['0123456789abcdef'];
SELECT
  session AS mark,
  count(*) AS records,
  min(ts) AS first_ts,
  max(ts + coalesce(latency_ms, 0) / 1000) AS last_ts
FROM usage
WHERE list_contains(getvariable('marks'), session)
GROUP BY session;
