-- The newest 200 requests, and how many there are in all.
-- Parameters: those of docs/access_logs.md, "Queries", then an edge location and a viewer's address, or 'all'.
-- Panel: {"title": "Requests", "place": 9, "parameters": "request_rows", "chart": "table", "of": "all_rows",
--   "columns": {"requesttime": "Time", "status": "Status", "method": "Method", "uri": "Path",
--   "requestip": "Viewer", "location": "Edge location", "distribution": "Distribution", "botcategory": "Kind",
--   "resulttype": "Result", "bytes": "Bytes", "useragent": "User agent"}}
SELECT
  requesttime, status, method, uri, requestip, location, distribution, botcategory, resulttype, bytes, useragent,
  count(*) OVER () AS all_rows
FROM cf_logs_by_request
WHERE logdate BETWEEN CAST(? AS date) AND CAST(? AS date)
  AND requesttime >= ?
  AND requesttime < ?
  AND ? IN ('all', distribution)
  AND ? IN ('all', botcategory, CASE isbot WHEN 'True' THEN 'bots' END)
  AND ? IN ('all', CAST(status AS varchar), substr(CAST(status AS varchar), 1, 1) || 'xx')
  AND ? IN ('all', location)
  AND ? IN ('all', requestip)
ORDER BY requesttime DESC, filename, linenumber
LIMIT 200
