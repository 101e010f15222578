// A panel's numbers as CSV (RFC 4180), as they came: no rounding, no words for values.
import { element } from "../shared/suite.js";

/** What a spreadsheet takes for a formula: https://owasp.org/www-community/attacks/CSV_Injection */
const FORMULA = /^[=+\-@\t\r\n\uFF1D\uFF0B\uFF0D\uFF20]/;

function field(value) {
  if (value === null || value === undefined) return "";
  if (typeof value === "number") return String(value);
  const text = FORMULA.test(value) ? `'${value}` : String(value);
  return `"${text.replaceAll('"', '""')}"`;
}

/** Rows as CSV, the names of the columns first; every line ends with CRLF. */
export const csv = (columns, rows) => [columns, ...rows].map((row) => `${row.map(field).join(",")}\r\n`).join("");

/** Give somebody a file with the rows. */
export function download(name, columns, rows) {
  const address = URL.createObjectURL(new Blob([csv(columns, rows)], { type: "text/csv" }));
  const moment = new Date().toISOString().slice(0, 16).replaceAll(":", "");
  element("a", { href: address, download: `${name}-${moment}Z.csv` }).click();
  setTimeout(() => URL.revokeObjectURL(address), 1000);
}
