-- The 50 viewers with the most requests of each minute; among equals by address.
SELECT window_start AS `minute`, address, requests, place
FROM (
  SELECT
    window_start, window_end, address, requests,
    ROW_NUMBER() OVER (PARTITION BY window_start, window_end ORDER BY requests DESC, address ASC) AS place
  FROM (
    SELECT window_start, window_end, address, COUNT(*) AS requests
    FROM TABLE(TUMBLE(TABLE logs, DESCRIPTOR(event_time), INTERVAL '60' SECOND))
    GROUP BY window_start, window_end, address
  )
)
WHERE place <= 50
