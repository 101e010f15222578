// A dialog with what it takes to run a panel's query in Athena: the statement, its parameters, where it ran.
import { copy, element, isLocal } from "../shared/suite.js";

const quoted = (text) => `'${text.replaceAll("'", "'\\''")}'`;

function copied(text, label) {
  const button = element("button", { type: "button", className: "plain small" }, label);
  button.addEventListener("click", () => copy(text, button));
  return button;
}

/** A command that runs the same query again. */
export function command({ athena: { sql, database, workgroup, region }, parameters }) {
  return ["aws athena start-query-execution", `--region ${quoted(region)}`, `--work-group ${quoted(workgroup)}`, `--query-execution-context ${quoted(`Database=${database}`)}`,
    `--query-string ${quoted(sql)}`, ...(parameters?.length ? [`--execution-parameters ${parameters.map((each) => quoted(each)).join(" ")}`] : []),
    ...(isLocal() ? [`--endpoint-url ${location.protocol}//127.0.0.1:${location.port}`] : [])].join(" ");
}

/** Where Athena's console has an execution. */
export const consoleAddress = ({ athena: { region }, query }) =>
  `https://${region}.console.aws.amazon.com/athena/home?region=${region}#/query-editor/history/${query}`;

/** Show how to run a panel's query in Athena. */
export function showInAthena(title, answer) {
  const { athena, parameters, query } = answer;
  const dialog = document.querySelector("#athena");
  const facts = [["Execution", query], ["Workgroup", athena.workgroup], ["Database", athena.database], ["Region", athena.region]];
  dialog.replaceChildren(
    element("div", { className: "top" }, element("h2", { id: "athena-title" }, `${title}, in Athena`),
      element("button", { type: "button", className: "bare small", onclick: () => dialog.close() }, "Close")),
    element("dl", { className: "facts" }, ...facts.map(([name, value]) => element("div", {}, element("dt", {}, name), element("dd", {}, element("code", {}, value))))),
    element("h3", {}, "Statement"), element("pre", { tabIndex: 0 }, element("code", {}, athena.sql)),
    element("h3", {}, "Parameters, in the order of the question marks"),
    element("ol", { className: "parameters" }, ...(parameters ?? []).map((each) => element("li", {}, element("code", {}, each)))),
    element("div", { className: "actions" },
      copied(athena.sql, "Copy the statement"), copied((parameters ?? []).join("\n"), "Copy the parameters"), copied(command(answer), "Copy a command"),
      ...(isLocal() ? [] : [element("a", { className: "button", href: consoleAddress(answer), target: "_blank", rel: "noreferrer" }, "Open in Athena’s console")])),
    ...(isLocal() ? [element("p", { className: "muted" }, "On AWS a link leads to this execution in Athena’s console. Here the command runs it on the local engine.")] : []));
  dialog.showModal();
}
