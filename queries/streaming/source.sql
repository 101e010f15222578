-- Real-time log records as Flink reads them: the default LogStreamFields, in the order in which CloudFront sends
-- them. `bytes` and `distribution` are reserved; the first is `sent` here.
-- Events may come 10 minutes late: windows close only when the watermark passes.
CREATE TABLE logs (
  ts DECIMAL(16, 3),
  address STRING,
  status STRING,
  sent BIGINT,
  `method` STRING,
  host STRING,
  uri STRING,
  location STRING,
  request_id STRING,
  time_taken STRING,
  user_agent STRING,
  referrer STRING,
  result_type STRING,
  `distribution` STRING,
  event_time AS TO_TIMESTAMP_LTZ(CAST(ts * 1000 AS BIGINT), 3),
  WATERMARK FOR event_time AS event_time - INTERVAL '10' MINUTE
) WITH (
  ${source}
)
