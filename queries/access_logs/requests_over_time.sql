-- Requests over time: all of them, those of bots, and those that failed.
-- Parameters: how many characters of a time make a slot (16: a minute, 15: ten minutes, 13: an hour, 10: a day),
-- such as '13', then those of docs/access_logs.md, "Queries".
-- Panel: {"title": "Requests over time", "place": 0, "parameters": "requests_by_slot", "chart": "lines",
--   "time": "slot", "lines": ["requests", "ofbots", "failed"],
--   "columns": {"requests": "Requests", "ofbots": "From bots", "failed": "4xx and 5xx", "totalbytes": "Bytes"}}
SELECT
  substr(requesttime, 1, characters) AS slot,
  count(*) AS requests,
  count_if(isbot = 'True') AS ofbots,
  count_if(status >= 400) AS failed,
  sum(bytes) AS totalbytes
FROM cf_logs_by_request
CROSS JOIN (VALUES 10, 13, 15, 16) AS slots (characters) -- Athena takes parameters in WHERE alone
WHERE characters = CAST(? AS integer)
  AND logdate BETWEEN CAST(? AS date) AND CAST(? AS date)
  AND requesttime >= ?
  AND requesttime < ?
  AND ? IN ('all', distribution)
  AND ? IN ('all', botcategory, CASE isbot WHEN 'True' THEN 'bots' END)
  AND ? IN ('all', CAST(status AS varchar), substr(CAST(status AS varchar), 1, 1) || 'xx')
GROUP BY 1
ORDER BY 1
