-- Abnormal events by kind and code.
SELECT coalesce(kind, 'none') AS kind, coalesce(code, 'none') AS code, count(*) AS events
FROM anomalies
GROUP BY ALL
ORDER BY events DESC, kind, code
LIMIT 1000;
