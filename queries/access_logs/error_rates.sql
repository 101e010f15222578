-- Requests that failed by the viewer's fault (4xx) and by ours (5xx), and their shares, by distribution.
-- Parameters: docs/access_logs.md, "Queries".
-- Panel: {"title": "Server errors (5xx)", "place": 4, "parameters": "requests", "chart": "bars",
--   "bar": ["distribution", "rate5xx"],
--   "columns": {"distribution": "Distribution", "requests": "Requests", "errors4xx": "4xx", "rate4xx": "4xx share", "errors5xx": "5xx", "rate5xx": "5xx share"}}
SELECT
  distribution,
  count(*) AS requests,
  count_if(status BETWEEN 400 AND 499) AS errors4xx,
  count_if(status BETWEEN 500 AND 599) AS errors5xx,
  CAST(count_if(status BETWEEN 400 AND 499) AS double) / count(*) AS rate4xx,
  CAST(count_if(status BETWEEN 500 AND 599) AS double) / count(*) AS rate5xx
FROM cf_logs_by_request
WHERE logdate BETWEEN CAST(? AS date) AND CAST(? AS date)
  AND requesttime >= ?
  AND requesttime < ?
  AND ? IN ('all', distribution)
  AND ? IN ('all', botcategory, CASE isbot WHEN 'True' THEN 'bots' END)
  AND ? IN ('all', CAST(status AS varchar), substr(CAST(status AS varchar), 1, 1) || 'xx')
GROUP BY distribution
ORDER BY requests DESC, distribution
