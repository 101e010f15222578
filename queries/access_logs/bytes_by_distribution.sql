-- Bytes sent and requests by distribution.
-- Parameters: docs/access_logs.md, "Queries".
-- Panel: {"title": "Bytes by distribution", "place": 2, "parameters": "requests", "chart": "bars",
--   "bar": ["distribution", "totalbytes"],
--   "columns": {"distribution": "Distribution", "ct": "Requests", "totalbytes": "Bytes"}}
SELECT distribution, count(*) AS ct, sum(bytes) AS totalbytes
FROM cf_logs_by_request
WHERE logdate BETWEEN CAST(? AS date) AND CAST(? AS date)
  AND requesttime >= ?
  AND requesttime < ?
  AND ? IN ('all', distribution)
  AND ? IN ('all', botcategory, CASE isbot WHEN 'True' THEN 'bots' END)
  AND ? IN ('all', CAST(status AS varchar), substr(CAST(status AS varchar), 1, 1) || 'xx')
GROUP BY distribution
ORDER BY totalbytes DESC, distribution
