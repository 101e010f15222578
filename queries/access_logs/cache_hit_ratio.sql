-- Requests served from the cache, and their share, by distribution.
-- Parameters: first and last date of the requests, such as '2026-11-22'.
-- Panel: {"title": "Cache-hit ratio", "place": 3, "parameters": "dates", "chart": "bars",
--   "bar": ["distribution", "ratio"],
--   "columns": {"distribution": "Distribution", "requests": "Requests", "hits": "Hits", "ratio": "Ratio"}}
SELECT
  distribution,
  count(*) AS requests,
  count_if(resulttype IN ('Hit', 'RefreshHit')) AS hits,
  CAST(count_if(resulttype IN ('Hit', 'RefreshHit')) AS double) / count(*) AS ratio
FROM cf_logs_by_request
WHERE logdate BETWEEN CAST(? AS date) AND CAST(? AS date)
GROUP BY distribution
ORDER BY requests DESC, distribution
