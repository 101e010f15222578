// The applications: what each does, how its data flows, where its page is, what to try. tests/unit/web holds this to the
// template's contents. An application is deployed if its output is in the configuration.
import { svg } from "./suite.js";

export const APPLICATIONS = [
  {
    name: "image_resizer", title: "Image resizer", page: "images/", output: "ImagesWebsiteUrl", parameter: "EnableImageResizer",
    text: "Makes a picture in the requested size and format on its first request, and stores it.",
    flow: ["browser", "CloudFront", "API", "resize", "bucket", "CloudFront"],
    icon: "M3 5h18v14H3zM3 16l5-5 4 4 3-3 6 6M15.5 9.5h.01",
    next: { text: "Choose a picture and a size", local: "", aws: "" },
  },
  {
    name: "access_logs", title: "Access logs", page: "insights/?app=access_logs", output: "AccessLogsWorkGroupName", parameter: "EnableAccessLogs",
    text: "Turns CloudFront's access logs into tables: bots, bytes, cache hits, errors, AI crawlers.",
    flow: ["log bucket", "preprocess", "Firehose", "partition", "Athena"],
    icon: "M5 3h14v18H5zM8 8h8M8 12h8M8 16h5",
    next: { text: "Upload logs, and see who came", local: "make demo", aws: "Send a distribution's standard logs to the log bucket" },
  },
  {
    name: "log_streaming", title: "Log streaming", page: "insights/?app=log_streaming", output: "LogStreamName", parameter: "EnableLogStreaming",
    text: "Counts CloudFront's real-time logs second by second: requests, bytes, bots, viewers.",
    flow: ["Kinesis", "window", "reduce", "results", "API"],
    icon: "M3 12h4l3-8 4 16 3-8h4",
    next: { text: "Send traffic, and watch it arrive", local: "make feed", aws: "Attach a real-time log configuration to a distribution" },
  },
  {
    name: "auth", title: "Authentication", page: "auth/", output: "AuthApiUrl", parameter: "EnableAuth",
    text: "One account for every company of a group; each record is encrypted, applications sign people in by OpenID Connect.",
    flow: ["application", "sign-on", "API", "users table", "KMS"],
    icon: "M12 3l7 3v5c0 5-3 8-7 10-4-2-7-5-7-10V6zM9.5 12l2 2 3.5-4",
    next: { text: "Sign in as somebody, and see what an application learns", local: "make clients DO=list", aws: "make clients DO=list STACK=<stack>" },
  },
  {
    name: "social_stream", title: "Social stream", page: "insights/?app=social_stream", output: "SocialWorkGroupName", parameter: "EnableSocialStream",
    text: "Takes a stream of posts into a table, once each, and ranks who posts most.",
    flow: ["Kinesis", "ingest", "write", "DynamoDB", "activity", "Athena"],
    icon: "M4 5h16v11H9l-5 4zM8 9h8M8 12h5",
    next: { text: "Send posts, and see who is most active", local: "make feed-posts", aws: "Put posts into the stream" },
  },
  {
    name: "container_metrics", title: "Container metrics", page: "insights/?app=container_metrics", output: "ContainerMetricsFunctionName", parameter: "EnableContainerMetrics",
    text: "Samples the counters of ECS clusters every five seconds, for dashboards and alarms.",
    flow: ["schedule", "state machine", "sample", "CloudWatch", "alarm"],
    icon: "M12 3l8 4.5v9L12 21l-8-4.5v-9zM12 12l8-4.5M12 12v9M12 12L4 7.5",
    next: { text: "Watch tasks start and stop", local: "make demo", aws: "Name your clusters in ContainerMetricsClusters" },
  },
  {
    name: "ec2_monitor", title: "EC2 monitor", page: "insights/?app=ec2_monitor", output: "Ec2WorkGroupName", parameter: "EnableEc2Monitor",
    text: "Who does what with EC2: every call that CloudTrail records, searchable, with alerts.",
    flow: ["CloudTrail", "EventBridge", "Firehose", "shape", "Athena"],
    icon: "M3 5h18v11H3zM8 20h8M12 16v4M7 9h4M7 12h7",
    next: { text: "See who started and stopped what", local: "make demo", aws: "Call EC2; calls arrive within minutes" },
  },
  {
    name: "event_hub", title: "Event hub", page: "status/", output: "HubApiUrl", parameter: "EnableEventHub",
    text: "Turns what AWS services publish into actions, documents into PDF, health checks into a status page.",
    flow: ["AWS services", "SNS, EventBridge", "queue", "react", "AWS services"],
    icon: "M12 9a3 3 0 1 0 0 6 3 3 0 0 0 0-6zM12 3v6M12 15v6M3 12h6M15 12h6",
    next: { text: "See which services are up", local: "make demo", aws: "Tag what it may act on with event-hub" },
  },
  {
    name: "rides", title: "Rides", page: "rides/", output: "RidesApiUrl", parameter: "EnableRides",
    text: "Visitors register, choose a place on a map, and are picked up by a unicorn.",
    flow: ["browser", "API", "state machine", "unicorn", "receipt"],
    icon: "M6 20c0-6 2-10 7-12l1-1c3 2 5 5 5 8 0 1-1 2-2 1l-4-1c0 2 0 3 1 5zM13 8l4-6-1 7M10 9c-4 1-6 5-6 9",
    next: { text: "Register, and request a ride", local: "", aws: "" },
  },
  {
    name: "api_portal", title: "API portal", page: "portal/", output: "PortalApiUrl", parameter: "EnableApiPortal",
    text: "Gives keys to the suite's APIs by plan, shows usage against quota, and sells plans on AWS Marketplace.",
    flow: ["browser", "API", "keys and plans", "usage", "AWS Marketplace"],
    icon: "M8 7a4 4 0 1 0 0 8 4 4 0 0 0 0-8zM12 11h9v4M17 11v3",
    next: { text: "Register, create a key, and send a call", local: "", aws: "" },
  },
];

/** The address of a page below the root. */
export const addressOf = (page) => new URL(`../${page}`, import.meta.url).href;

/** An application's icon. */
export function icon(path) {
  const made = svg("svg", { class: "icon", viewBox: "0 0 24 24", "aria-hidden": "true" });
  made.append(svg("path", { d: path }));
  return made;
}
