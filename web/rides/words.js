// Sentences of the page: what a ride does.
import { stamp } from "../shared/time.js";

/** The fleet's colours. */
export const COLOURS = {
  rose: "#f27ea9", silver: "#b3bcc9", white: "#f3f4f7", violet: "#8b5fd3", copper: "#cf7740", teal: "#22a0a0", gold: "#eab52f", lilac: "#c39be6",
  blue: "#4b8bf0", green: "#4cae60",
};

export const STEPS = ["requested", "assigned", "arriving", "riding", "done"];
export const OPEN = ["requested", "assigned", "arriving", "riding"];
export const CANCELLABLE = ["requested", "assigned", "arriving"];

export const STATES = {
  requested: { word: "Requested", look: "" },
  assigned: { word: "Assigned", look: "" },
  arriving: { word: "Arriving", look: "" },
  riding: { word: "Riding", look: "" },
  done: { word: "Done", look: "good" },
  cancelled: { word: "Cancelled", look: "muted" },
  unserved: { word: "No unicorn free", look: "warm" },
  failed: { word: "Failed", look: "bad" },
};

/** What a ride does, for people; it changes with the state alone, because it is read out. */
export function sentenceOf({ state, unicorn }) {
  const who = unicorn ? `${unicorn.name}, the ${unicorn.colour} unicorn,` : "A unicorn";
  return {
    requested: "Looking for a free unicorn near you.",
    assigned: `${who} is yours, and shakes its mane.`,
    arriving: `${who} is on its way to you.`,
    riding: `Hold on to the mane: ${unicorn?.name} takes you over the roofs.`,
    done: `You are back. ${unicorn?.name} says thank you.`,
    cancelled: "The ride is cancelled. It costs nothing.",
    unserved: "Every unicorn is busy.",
    failed: "Something went wrong, and the ride was ended. It costs nothing.",
  }[state];
}

/** 430 cents -> "$4.30" */
export const money = ({ cents, currency }) => new Intl.NumberFormat("en", { style: "currency", currency }).format(cents / 100);

/** 75 -> "1:15 min", 12 -> "12 s" */
export const countdown = (seconds) => (seconds < 60 ? `${seconds} s` : `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")} min`);

/** When, for people. */
export const when = (seconds) => stamp(seconds * 1000, "local");
