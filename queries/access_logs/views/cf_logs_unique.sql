-- One row per request whenever it was delivered. Scans the whole table: for backfills and for audits.
SELECT ${columns}
FROM (
  SELECT
    log.*,
    substr(log.logtime, 1, 2) AS requesthour,
    CAST(log.logdate AS varchar) || 'T' || log.logtime || 'Z' AS requesttime,
    row_number() OVER (PARTITION BY log.filename, log.etag, log.linenumber) AS copy
  FROM cf_logs AS log
) AS copies
WHERE copy = 1
