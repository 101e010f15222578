-- Requests served from the cache, and their share, by distribution.
-- Parameters: docs/access_logs.md, "Queries".
-- Panel: {"title": "Cache-hit ratio", "place": 3, "parameters": "requests", "chart": "bars",
--   "bar": ["distribution", "ratio"],
--   "columns": {"distribution": "Distribution", "requests": "Requests", "hits": "Hits", "ratio": "Ratio"}}
SELECT
  distribution,
  count(*) AS requests,
  count_if(resulttype IN ('Hit', 'RefreshHit')) AS hits,
  CAST(count_if(resulttype IN ('Hit', 'RefreshHit')) AS double) / count(*) AS ratio
FROM cf_logs_by_request
WHERE logdate BETWEEN CAST(? AS date) AND CAST(? AS date)
  AND requesttime >= ?
  AND requesttime < ?
  AND ? IN ('all', distribution)
  AND ? IN ('all', botcategory, CASE isbot WHEN 'True' THEN 'bots' END)
  AND ? IN ('all', CAST(status AS varchar), substr(CAST(status AS varchar), 1, 1) || 'xx')
GROUP BY distribution
ORDER BY requests DESC, distribution
