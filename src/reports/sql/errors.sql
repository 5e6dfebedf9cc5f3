-- Errors over time, by type.
--
--   SET VARIABLE bucket_seconds = 3600;
SELECT
  floor(ts / getvariable('bucket_seconds')) * getvariable('bucket_seconds') AS start,
  err_type,
  count(*) AS errors
FROM usage
WHERE err_type IS NOT NULL
GROUP BY ALL
ORDER BY start, err_type;
