-- What exchanges cost: each by the price of the model that answered, and beside it by that of the model
-- that was asked for, which is what the default lane would have served. Amounts are exact: dollars
-- times 1,000,000, as decimals.
--
-- kind: "charged"; "free", which is any other path than /v1/messages, and errors without tokens;
-- "unmetered", an answer whose tokens nobody knows.
--
--   SET VARIABLE prices = (SELECT content::JSON -> 'prices' FROM read_text('../prices.json'));
--
-- The price of an exchange is the one in force when it began (UTC), of the tier of its whole prompt: fresh
-- input, cache reads and cache writes. The ledger has one count of cache writes, not two: they are
-- priced both as written for 5 minutes and for 1 hour.
CREATE OR REPLACE TEMP MACRO model_name(id) AS
  -- A date, "latest" or a context size behind the name does not change the price.
  regexp_replace(lower(id), '(-20\d{6}|-latest|\[1m\])+$', '');

CREATE OR REPLACE TEMP MACRO amount(tokens, price) AS
  CAST(coalesce(tokens, 0) AS DECIMAL(18, 0)) * coalesce(price, 0);

WITH listed AS (
  SELECT unnest(from_json(getvariable('prices'), '[{
    "models": ["VARCHAR"], "from": "DATE", "prompt_over": "BIGINT", "input": "DECIMAL(12,6)",
    "output": "DECIMAL(12,6)", "cache_write_5m": "DECIMAL(12,6)", "cache_write_1h": "DECIMAL(12,6)",
    "cache_read": "DECIMAL(12,6)"
  }]'), recursive := true)
),
named AS (
  SELECT unnest(models) AS name, coalesce(epoch("from"), 0) AS from_ts, * EXCLUDE (models, "from")
  FROM listed
),
-- Each price with the time and the prompts that it is for: from (inclusive) until the next one.
prices AS (
  SELECT
    named.*,
    until_ts,
    coalesce(lead(prompt_over) OVER (PARTITION BY name, from_ts ORDER BY prompt_over), 9e18) AS prompt_max
  FROM named
  JOIN (
    SELECT name, from_ts, coalesce(lead(from_ts) OVER (PARTITION BY name ORDER BY from_ts), 'inf') AS until_ts
    FROM (SELECT DISTINCT name, from_ts FROM named)
  ) USING (name, from_ts)
),
known AS (SELECT DISTINCT name FROM named),
exchanges AS (
  SELECT
    *,
    path = '/v1/messages' AS charged_path,
    input_tokens IS NOT NULL OR output_tokens IS NOT NULL AS metered,
    coalesce(input_tokens, 0) + coalesce(cache_read_tokens, 0) + coalesce(cache_write_tokens, 0) AS prompt,
    model_name(model) AS asked_name,
    CASE
      WHEN model_name(model_served) IN (FROM known) THEN model_name(model_served)
      WHEN model_name(model_sent) IN (FROM known) THEN model_name(model_sent)
      ELSE model_name(coalesce(model_served, model_sent, model))
    END AS billed_name,
    -- A whole answer that counted all there is to count, by a model that named itself.
    err_type IS NULL AND coalesce(sse, 'complete') = 'complete'
      AND input_tokens IS NOT NULL AND output_tokens IS NOT NULL
      AND model_name(model_served) IN (FROM known) AS is_whole
  FROM usage
)
SELECT
  coalesce(lane, 'none') AS lane,
  CASE
    WHEN NOT coalesce(charged_path, false) OR (NOT metered AND err_type IS NOT NULL) THEN 'free'
    WHEN NOT metered THEN 'unmetered'
    ELSE 'charged'
  END AS kind,
  coalesce(asked_name, 'none') AS asked,
  coalesce(billed_name, 'none') AS billed,
  coalesce(billed_name IN (FROM known), false) AS billed_known,
  billed_price.name IS NOT NULL AS billed_priced,
  coalesce(asked_name IN (FROM known), false) AS asked_known,
  asked_price.name IS NOT NULL AS asked_priced,
  coalesce(is_whole, false) AS is_whole,
  count(*) AS exchanges,
  coalesce(sum(input_tokens), 0) AS input_tokens,
  coalesce(sum(output_tokens), 0) AS output_tokens,
  coalesce(sum(cache_read_tokens), 0) AS cache_read_tokens,
  coalesce(sum(cache_write_tokens), 0) AS cache_write_tokens,
  sum(amount(input_tokens, billed_price.input) + amount(output_tokens, billed_price.output)
    + amount(cache_read_tokens, billed_price.cache_read)) AS billed_amount,
  sum(amount(cache_write_tokens, billed_price.cache_write_5m)) AS billed_write_5m,
  sum(amount(cache_write_tokens, billed_price.cache_write_1h)) AS billed_write_1h,
  sum(amount(input_tokens, asked_price.input) + amount(output_tokens, asked_price.output)
    + amount(cache_read_tokens, asked_price.cache_read)) AS asked_amount,
  sum(amount(cache_write_tokens, asked_price.cache_write_5m)) AS asked_write_5m,
  sum(amount(cache_write_tokens, asked_price.cache_write_1h)) AS asked_write_1h
FROM exchanges
LEFT JOIN prices AS billed_price
  ON billed_price.name = billed_name
  AND ts >= billed_price.from_ts AND ts < billed_price.until_ts
  AND (prompt > billed_price.prompt_over OR billed_price.prompt_over = 0) AND prompt <= billed_price.prompt_max
LEFT JOIN prices AS asked_price
  ON asked_price.name = asked_name
  AND ts >= asked_price.from_ts AND ts < asked_price.until_ts
  AND (prompt > asked_price.prompt_over OR asked_price.prompt_over = 0) AND prompt <= asked_price.prompt_max
GROUP BY ALL
ORDER BY lane, exchanges DESC, asked, billed;
