// Scores a page by Lighthouse in a browser that runs. The argument is JSON: { port, url, form, categories }.
// Prints JSON: { scores, faults, error }, with scores of 0 to 100 by category, and the audits that took points.
import lighthouse, { desktopConfig } from "lighthouse";

const { port, url, form, categories } = JSON.parse(process.argv[2]);
// Storage stays: other tabs have the operator's session.
const flags = { port, logLevel: "silent", onlyCategories: categories, disableStorageReset: true };
const { lhr } = await lighthouse(url, flags, form === "desktop" ? desktopConfig : undefined);
const found = Object.values(lhr.categories);
const audits = found.flatMap(({ auditRefs }) => auditRefs.filter(({ weight }) => weight > 0).map(({ id }) => lhr.audits[id]));
console.log(JSON.stringify({
  scores: Object.fromEntries(found.map(({ id, score }) => [id, Math.round(score * 100)])),
  faults: audits.filter(({ score }) => score !== null && score < 0.9).map(({ id, title, displayValue }) => `${id}: ${displayValue ?? title}`),
  error: lhr.runtimeError?.message ?? "",
}));
process.exit(0); // the browser stays, and its connection would keep this waiting
