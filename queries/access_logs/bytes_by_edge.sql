-- Bytes sent by distribution and edge location.
-- Parameters: docs/access_logs.md, "Queries".
-- Panel: {"title": "Bytes by distribution and edge location", "place": 8, "parameters": "requests", "chart": "table",
--   "of": "all_rows",
--   "columns": {"distribution": "Distribution", "location": "Edge location", "totalbytes": "Bytes"}}
SELECT distribution, location, sum(bytes) AS totalbytes, count(*) OVER () AS all_rows
FROM cf_logs_by_request
WHERE logdate BETWEEN CAST(? AS date) AND CAST(? AS date)
  AND requesttime >= ?
  AND requesttime < ?
  AND ? IN ('all', distribution)
  AND ? IN ('all', botcategory, CASE isbot WHEN 'True' THEN 'bots' END)
  AND ? IN ('all', CAST(status AS varchar), substr(CAST(status AS varchar), 1, 1) || 'xx')
GROUP BY distribution, location
ORDER BY totalbytes DESC, distribution, location
