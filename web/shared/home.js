// The list of what this deployment has: an application is shown if its output is in the configuration.
import { handOn } from "./signin.js";
import { configuration, element } from "./suite.js";

const APPLICATIONS = [
  {
    output: "ImagesWebsiteUrl", title: "Image resizer", page: "images/",
    text: "Makes a picture in the requested size and format once, and stores it.",
  },
  {
    output: "InsightsApiUrl", title: "Insights", page: "insights/",
    text: "Traffic, live and at rest: bots, bytes, viewers, AI crawlers; who posts most; who changes what in EC2. Needs a sign-in.",
  },
  {
    output: "AuthApiUrl", title: "Single sign-on", page: "auth/",
    text: "One account for every company: an application that signs people in by OpenID Connect.",
  },
  {
    output: "HubApiUrl", title: "Status", page: "status/",
    text: "Which services are up, which are down, and since when: health checks, as anybody may see them.",
  },
];

handOn(); // a sign-in ends at the root, and goes on where it began

try {
  const config = await configuration();
  const cards = APPLICATIONS.filter(({ output }) => config[output]).map(({ title, page, text }) =>
    element("section", { className: "card" },
      element("h2", {}, element("a", { href: page }, title)), element("p", { className: "muted" }, text)));
  document.querySelector("#applications").replaceChildren(...cards);
} catch (error) {
  Object.assign(document.querySelector("#trouble"), { hidden: false, textContent: error.message });
}
