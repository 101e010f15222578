-- Requests of bots by viewer address and edge location, most first.
-- Parameters: docs/access_logs.md, "Queries".
-- Panel: {"title": "Bots by viewer and edge location", "place": 7, "parameters": "requests", "chart": "table",
--   "of": "all_rows", "columns": {"requestip": "Viewer", "location": "Edge location", "ct": "Requests"}}
SELECT count(*) AS ct, requestip, location, count(*) OVER () AS all_rows
FROM cf_logs_by_request
WHERE logdate BETWEEN CAST(? AS date) AND CAST(? AS date)
  AND requesttime >= ?
  AND requesttime < ?
  AND ? IN ('all', distribution)
  AND ? IN ('all', botcategory, CASE isbot WHEN 'True' THEN 'bots' END)
  AND ? IN ('all', CAST(status AS varchar), substr(CAST(status AS varchar), 1, 1) || 'xx')
  AND isbot = 'True'
GROUP BY requestip, location
ORDER BY ct DESC, requestip, location
