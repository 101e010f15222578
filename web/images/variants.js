// What a variant is called, how big it gets, and the lines that people copy. Pure: no page, no network.

const MAX_SIDE = 32767; // of image_resizer.recipe, whose plan() sizeOf() follows
const MAX_PIXELS = 16777216;

/** The path of a variant: `{ key, width, height, fit, format }`; a side of 0 follows the other, "" keeps the original's format. */
export function variantPath({ key, width, height, fit, format }) {
  const options = [width && height && fit !== "cover" ? fit : "", format].filter(Boolean);
  return `${[`${width || ""}x${height || ""}`, ...options].join(",")}/${key}`;
}

/** The address of a path on the website; the commas between options stay as they are. */
export function addressOf(website, path) {
  return `${website}/${path.split("/").map(encodeURIComponent).join("/").replaceAll("%2C", ",")}`;
}

/** The size in pixels of the variant of an original `{ width, height }`: never enlarged. */
export function sizeOf(original, { width, height, fit }) {
  const both = width && height;
  if (both && fit === "contain") return scaled({ width, height }, bound({ width, height }));
  const shares = [width / original.width, height / original.height].filter((share) => share > 0);
  const covers = both && fit === "cover";
  const base = covers ? { width, height } : original;
  const scale = covers ? Math.min(1, ...shares.map((share) => 1 / share)) : Math.min(1, ...shares);
  return scaled(base, scale * bound({ width: base.width * scale, height: base.height * scale }));
}

function bound({ width, height }) {
  return Math.min(1, MAX_SIDE / width, MAX_SIDE / height, Math.sqrt(MAX_PIXELS / (width * height)));
}

function scaled({ width, height }, scale) {
  return { width: Math.max(1, Math.round(width * scale)), height: Math.max(1, Math.round(height * scale)) };
}

/**
 * The variants of the same form, smallest first, among which browsers may choose: from a quarter of this one, for small
 * screens, to twice as many pixels a side, for dense ones, as far as the original has them.
 */
export function rungsOf(ladder, original, shape) {
  const { width, height } = shape;
  const sides = (rung) => {
    if (!height) return [{ width: rung }];
    if (!width) return [{ height: rung }];
    return ladder.filter((other) => rung * height === other * width).map((other) => ({ width: rung, height: other }));
  };
  const rungs = ladder.flatMap(sides).map((side) => ({ ...shape, ...side }));
  const share = (rung) => (width ? rung.width / width : rung.height / height);
  return rungs.filter((rung) => share(rung) >= 1 / 4 && share(rung) <= 2 && rung.width <= original.width && rung.height <= original.height);
}

/** An `<img>` with the sizes among which browsers choose, and the dimensions that keep its place; `shown` is the variant's size. */
export function imageTag(website, ladder, original, shape, shown) {
  const address = (each) => escaped(addressOf(website, variantPath(each)));
  const candidates = rungsOf(ladder, original, shape).map((rung) => `${address(rung)} ${sizeOf(original, rung).width}w`);
  const lines = [`<img src="${address(shape)}"`];
  if (candidates.length > 1) {
    lines.push(`srcset="${candidates.join(",\n             ")}"`, `sizes="(max-width: ${shown.width}px) 100vw, ${shown.width}px"`);
  }
  return [...lines, `width="${shown.width}" height="${shown.height}" alt="">`].join("\n     ");
}

/** A command that fetches the variant as a browser does: through the redirects of the first request. */
export function curlCommand(website, shape, type, accept) {
  const name = shape.key.split("/").pop().replace(/\.[^.]*$/, "");
  const file = `./${name}-${shape.width || ""}x${shape.height || ""}.${type.replace("image/", "").replace("jpeg", "jpg")}`;
  const header = shape.format === "auto" ? ["-H", quoted(`Accept: ${accept}`)] : [];
  return ["curl", "-fsSL", ...header, "-o", quoted(file), quoted(addressOf(website, variantPath(shape)))].join(" ");
}

function quoted(text) {
  return `'${text.replaceAll("'", "'\\''")}'`;
}

function escaped(text) {
  return text.replaceAll("&", "&amp;").replaceAll('"', "&quot;").replaceAll("<", "&lt;");
}
