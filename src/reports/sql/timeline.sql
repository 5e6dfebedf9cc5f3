-- Exchanges over time, by lane.
--
--   SET VARIABLE bucket_seconds = 3600;
SELECT
  floor(ts / getvariable('bucket_seconds')) * getvariable('bucket_seconds') AS start,
  coalesce(lane, 'none') AS lane,
  count(*) AS exchanges,
  quantile_disc(latency_ms, 0.50) AS p50,
  quantile_disc(latency_ms, 0.95) AS p95
FROM usage
GROUP BY ALL
ORDER BY start, lane;
