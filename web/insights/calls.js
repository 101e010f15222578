// Who changes what in EC2: asked again every minute while the page is seen.
import { cards, show } from "./declared.js";
import { find, follow } from "./panels.js";

const REFRESH_MS = 60_000; // Firehose waits as long; each look is a query of Athena's a panel, about $0.00005
// How long a window is, what a slot of the chart is, and how its key becomes a whole time.
const WINDOWS = {
  hour: { words: "the last hour", minutes: 60, slot: 10, characters: 15, rest: "0:00Z" },
  half_day: { words: "the last 12 hours", minutes: 720, slot: 60, characters: 13, rest: ":00:00Z" },
  day: { words: "the last 24 hours", minutes: 1440, slot: 60, characters: 13, rest: ":00:00Z" },
  week: { words: "the last 7 days", minutes: 10_080, slot: 1440, characters: 10, rest: "T00:00:00Z" },
};

/** Follow the panels about calls; `ask` asks the API, `mayAsk` says whether somebody sees them. Returns the first look. */
export function followCalls(panels, ask, mayAsk) {
  cards(find("#calls .grid"), panels);
  return follow("#calls", REFRESH_MS, mayAsk, async (current) => {
    const chosen = find("#calls select").value;
    const window = WINDOWS[chosen];
    for (const panel of panels) {
      if (!mayAsk()) return;
      const answer = await show(panel, ask, { window: chosen }, { words: window.words, window, current });
      if (!current()) return;
      if (answer) Object.assign(find("#calls .badge"), { className: "badge good", textContent: `as of ${new Date(answer.as_of).toLocaleTimeString()}` });
    }
  });
}
