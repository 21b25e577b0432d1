// The console's script. Every page works without it: it only makes links, forms and lists better.

import { one, onPage } from "/assets/ui.js";
import { start as startSwap } from "/assets/swap.js";
import { start as startToggle } from "/assets/toggle.js";
import { start as startKeys } from "/assets/keys.js";
import { start as startLive } from "/assets/live.js";
import { start as startRanking } from "/assets/ranking.js";

// What only some pages need comes with the first of them.
const later = new Map([
  ["[data-uploader], [data-avatar], [data-instant]", () => import("/assets/upload.js")],
  ["[data-gallery], .gallery", () => import("/assets/media.js")],
  ["[data-seen]", () => import("/assets/seen.js")],
]);

for (const start of [startSwap, startToggle, startKeys, startRanking, startLive]) start();
onPage((root) => {
  for (const [selector, load] of later) {
    if (!one(selector, root)) continue;
    later.delete(selector);
    // Without it the page works as it does without script; the next one tries again.
    load().then(({ start }) => start()).catch(() => later.set(selector, load));
  }
});
document.dispatchEvent(new CustomEvent("page:shown"));
