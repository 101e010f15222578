-- One row per call however often it was delivered. Scans the whole table.
SELECT ${columns}
FROM (
  SELECT delivered.*, row_number() OVER (PARTITION BY delivered.event_id ORDER BY delivered.hour) AS copy
  FROM calls_delivered AS delivered
) AS copies
WHERE copy = 1
