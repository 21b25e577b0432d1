// The console's script. Every page works without it: it only makes links, forms and lists better.

import { start as startSwap } from "/assets/swap.js";
import { start as startToggle } from "/assets/toggle.js";
import { start as startMedia } from "/assets/media.js";
import { start as startUpload } from "/assets/upload.js";
import { start as startKeys } from "/assets/keys.js";
import { start as startSeen } from "/assets/seen.js";
import { start as startLive } from "/assets/live.js";
import { start as startRanking } from "/assets/ranking.js";

for (const start of [startSwap, startToggle, startMedia, startUpload, startKeys, startSeen, startRanking, startLive]) start();
document.dispatchEvent(new CustomEvent("page:shown"));
