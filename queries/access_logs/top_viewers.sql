-- The 50 viewers with the most requests.
-- Parameters: docs/access_logs.md, "Queries".
-- Panel: {"title": "Top 50 viewers", "place": 5, "parameters": "requests", "chart": "bars",
--   "bar": ["requestip", "ct"], "columns": {"requestip": "Viewer", "ct": "Requests"}}
SELECT requestip, count(*) AS ct
FROM cf_logs_by_request
WHERE logdate BETWEEN CAST(? AS date) AND CAST(? AS date)
  AND requesttime >= ?
  AND requesttime < ?
  AND ? IN ('all', distribution)
  AND ? IN ('all', botcategory, CASE isbot WHEN 'True' THEN 'bots' END)
  AND ? IN ('all', CAST(status AS varchar), substr(CAST(status AS varchar), 1, 1) || 'xx')
GROUP BY requestip
ORDER BY ct DESC, requestip
LIMIT 50
