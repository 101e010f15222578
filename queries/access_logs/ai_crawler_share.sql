-- Requests and their share by kind of bot: `ai` for AI crawlers, `-` for people.
-- Parameters: docs/access_logs.md, "Queries".
-- Panel: {"title": "AI crawlers and other bots", "place": 6, "parameters": "requests", "chart": "bars",
--   "bar": ["botcategory", "share"], "columns": {"botcategory": "Kind", "ct": "Requests", "share": "Share"}}
SELECT botcategory, count(*) AS ct, CAST(count(*) AS double) / sum(count(*)) OVER () AS share
FROM cf_logs_by_request
WHERE logdate BETWEEN CAST(? AS date) AND CAST(? AS date)
  AND requesttime >= ?
  AND requesttime < ?
  AND ? IN ('all', distribution)
  AND ? IN ('all', botcategory, CASE isbot WHEN 'True' THEN 'bots' END)
  AND ? IN ('all', CAST(status AS varchar), substr(CAST(status AS varchar), 1, 1) || 'xx')
GROUP BY botcategory
ORDER BY ct DESC, botcategory
