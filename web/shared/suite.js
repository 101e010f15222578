// What every page needs: the addresses that the deployment wrote, and numbers for people.

/** The stack's outputs, as `config.json` beside the pages has them. */
export async function configuration() {
  const response = await fetch(new URL("../config.json", import.meta.url));
  if (!response.ok) throw new Error(`config.json: ${response.status}. Publish the pages with "make up" or "make deploy".`);
  return response.json();
}

/** 1234567 -> "1.2 MB" */
export function bytes(count) {
  const units = ["B", "kB", "MB", "GB"];
  let unit = 0;
  while (count >= 1000 && unit < units.length - 1) { count /= 1000; unit += 1; }
  return `${unit && count < 100 ? count.toFixed(1) : Math.round(count)} ${units[unit]}`;
}

/** An element with properties and children; strings become text, never markup. */
export function element(name, properties = {}, ...children) {
  const made = Object.assign(document.createElement(name), properties);
  made.append(...children);
  return made;
}
