// Who posts most: asked again and again while the page is seen.
import { cards, show } from "./declared.js";
import { find, follow } from "./panels.js";

const REFRESH_MS = 10_000; // each look is a query of Athena's a panel, about $0.00005
const WINDOWS = { hour: "the last hour", day: "the last 24 hours", week: "the last 7 days" };

/** Follow the panels about posts; `ask` asks the API, `mayAsk` says whether somebody sees them. Returns the first look. */
export function followPosters(panels, ask, mayAsk) {
  cards(find("#posters .grid"), panels);
  return follow("#posters", REFRESH_MS, mayAsk, async (current) => {
    const { window, most } = Object.fromEntries(new FormData(find("#posters form")));
    for (const panel of panels) {
      const answer = await show(panel, ask, { window }, { words: WINDOWS[window], most: Number(most), current });
      if (!current()) return;
      if (answer) Object.assign(find("#posters .badge"), { className: "badge good", textContent: `as of ${new Date(answer.as_of).toLocaleTimeString()}` });
    }
  });
}
