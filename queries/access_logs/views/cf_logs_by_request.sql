-- One row per request, to be asked by the date of the request: a filter on logdate bounds what is scanned.
-- Partitions are hours of delivery, and a row is delivered up to 25 hours after its request: the day of the
-- request and the two days after it are looked through, so that a late row is never missed. Firehose delivers
-- at least once: of the copies of a row one is shown. Rows delivered later still (a backfill) are in
-- cf_logs_unique.
WITH delivery_days AS (
  SELECT
    logdate,
    date_format(date_add('day', lateness, logdate), '%Y') AS year,
    CASE WHEN '${AccessLogsPartitionType}' = 'Year' THEN 'all'
      ELSE date_format(date_add('day', lateness, logdate), '%m') END AS month,
    CASE WHEN '${AccessLogsPartitionType}' IN ('Year', 'Month') THEN 'all'
      ELSE date_format(date_add('day', lateness, logdate), '%d') END AS day
  FROM (
    SELECT date_add('day', -age, current_date) AS logdate
    FROM UNNEST(sequence(-1, 9998)) AS ages (age)
  ) AS request_days
  CROSS JOIN UNNEST(ARRAY[0, 1, 2]) AS latenesses (lateness)
)
SELECT ${columns}
FROM (
  SELECT
    log.*,
    substr(log.logtime, 1, 2) AS requesthour,
    CAST(log.logdate AS varchar) || 'T' || log.logtime || 'Z' AS requesttime,
    row_number() OVER (PARTITION BY log.logdate, log.filename, log.etag, log.linenumber) AS copy
  FROM cf_logs AS log
  INNER JOIN delivery_days
    ON log.logdate = delivery_days.logdate
    AND log.year = delivery_days.year
    AND log.month = delivery_days.month
    AND log.day = delivery_days.day
) AS copies
WHERE copy = 1
