-- The ten users with the most distinct posts of a day (UTC).
-- Parameters: the years of the day and of the day after it, which bound the partitions; the day, the day after it,
-- which holds what was delivered late, and the day again, such as '2026', '2026', '2026-11-22', '2026-11-23',
-- '2026-11-22'.
SELECT user_id, count(DISTINCT tweet_id) AS posts
FROM twitterfeed
WHERE year IN (?, ?)
  AND year || '-' || month || '-' || day IN (?, ?)
  AND date(approx_post_time) = CAST(? AS date)
GROUP BY user_id
ORDER BY posts DESC, user_id
LIMIT 10
