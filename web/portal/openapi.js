// OpenAPI documents as the page needs them. Pure: no page, no network.

const METHODS = ["get", "post", "put", "patch", "delete"];
const DEPTH = 6; // of shapes: deeper ones are cut off

/** A part of a document, or what it refers to. */
function resolved(document, node) {
  if (!node?.$ref) return node;
  return node.$ref.slice(2).split("/").reduce((part, name) => part?.[name.replaceAll("~1", "/").replaceAll("~0", "~")], document);
}

/** Who may call: "key", "session" (the visitors' token), or "open". */
function accessOf(document, operation) {
  const names = (operation.security ?? document.security ?? []).flatMap(Object.keys);
  const schemes = names.map((name) => document.components?.securitySchemes?.[name]);
  if (schemes.some((scheme) => scheme?.name?.toLowerCase() === "x-api-key")) return "key";
  return schemes.length ? "session" : "open";
}

/** The operations of a document, those that need a key first. Preflights are none. */
export function operationsOf(document) {
  const found = Object.entries(document.paths).flatMap(([path, item]) => METHODS.filter((method) => item[method]).map((method) => {
    const operation = item[method];
    const access = accessOf(document, operation);
    const body = resolved(document, operation.requestBody);
    return {
      id: `${method.toUpperCase()} ${path}`, method: method.toUpperCase(), path, access,
      summary: operation.summary ?? "", description: operation.description ?? "",
      parameters: [...(item.parameters ?? []), ...(operation.parameters ?? [])].map((each) => resolved(document, each)),
      body: body && Object.entries(body.content ?? {})[0],
      answers: Object.entries(operation.responses ?? {}).map(([status, each]) => ({ status, ...resolved(document, each) })),
      // A browser asks first whether it may send a key, a token or a body, and needs an answer to that.
      isTriable: "options" in item || (method === "get" && access === "open"),
    };
  }));
  return [...found.filter(({ access }) => access === "key"), ...found.filter(({ access }) => access !== "key")];
}

/** What a schema allows, as text that looks like JSON. */
export function shapeOf(document, schema, depth = 0) {
  const { type, properties, required = [], items, enum: values, oneOf, allOf, format, nullable } = resolved(document, schema) ?? {};
  const pad = "  ".repeat(depth + 1);
  if (depth > DEPTH) return "…";
  if (allOf || oneOf) return [...(allOf ?? oneOf)].map((each) => shapeOf(document, each, depth)).join(allOf ? " & " : " | ");
  if (properties) {
    const rows = Object.entries(properties).map(([name, each]) => `${pad}"${name}"${required.includes(name) ? "" : "?"}: ${shapeOf(document, each, depth + 1)}`);
    return `{\n${rows.join(",\n")}\n${"  ".repeat(depth)}}`;
  }
  if (type === "array") return `[${shapeOf(document, items, depth)}]`;
  const word = values ? values.map((value) => JSON.stringify(value)).join(" | ") : format ?? type ?? "anything";
  return nullable ? `${word} | null` : word;
}

/** A value that a schema allows, to begin with. */
export function sampleOf(document, schema, depth = 0) {
  const { type, properties, items, enum: values, example, default: given, oneOf, allOf } = resolved(document, schema) ?? {};
  if (example !== undefined || given !== undefined || values) return example ?? given ?? values[0];
  if (depth > DEPTH) return null;
  if (allOf) return Object.assign({}, ...allOf.map((each) => sampleOf(document, each, depth)));
  if (oneOf) return sampleOf(document, oneOf[0], depth);
  if (properties) return Object.fromEntries(Object.entries(properties).map(([name, each]) => [name, sampleOf(document, each, depth + 1)]));
  if (type === "array") return items ? [sampleOf(document, items, depth + 1)] : [];
  return { integer: 0, number: 0, boolean: false, object: {} }[type] ?? "";
}

/** What a parameter's field begins with: its example, or the one that its description has in backquotes. */
export function sampleOfParameter(document, { example, schema, description = "", required }) {
  const given = example ?? (schema && (schema.example ?? schema.default));
  if (given !== undefined) return String(given);
  const told = /for example `([^`]+)`/.exec(description)?.[1];
  return told ?? (required ? String(sampleOf(document, schema)) : "");
}

/** The request of an operation: `values` are its parameters by name, `body` a text. */
export function requestOf(document, { method, path, parameters, body }, { values, text, key, token }) {
  const of = (place) => parameters.filter((each) => each.in === place && (values[each.name] ?? "") !== "");
  const filled = path.replace(/\{(\w+)\+?\}/g, (_, name) => encodeURIComponent(values[name] ?? ""));
  const query = of("query").map(({ name }) => `${encodeURIComponent(name)}=${encodeURIComponent(values[name])}`).join("&");
  return {
    method, url: `${document.servers[0].url}${filled}${query ? `?${query}` : ""}`,
    headers: {
      ...(key === undefined ? {} : { "x-api-key": key }),
      ...(token === undefined ? {} : { Authorization: token }),
      ...Object.fromEntries(of("header").map(({ name }) => [name, values[name]])),
      ...(body ? { "Content-Type": body[0] } : {}),
    },
    ...(body ? { body: text } : {}),
  };
}

/** The request as a command, with the key and the token as variables: neither is in what people paste. */
export function curlOf({ method, url, headers, body }) {
  const variables = { "x-api-key": "$API_KEY", Authorization: "$ID_TOKEN" };
  const sent = Object.entries(headers).map(([name, value]) => `-H ${name in variables ? `"${name}: ${variables[name]}"` : quoted(`${name}: ${value}`)}`);
  return [`curl -sS${method === "GET" ? "" : ` -X ${method}`}`, ...sent, ...(body === undefined ? [] : [`-d ${quoted(body)}`]), quoted(url)].join(" \\\n  ");
}

const quoted = (text) => `'${text.replaceAll("'", "'\\''")}'`;
