// What every page has: htmx, times in the reader's zone, lines to copy, and word of a lost network.
import "htmx.org";
import { localTimes } from "./times.js";
import { watchNetwork } from "./network.js";
import { keepSession } from "./session.js";
import { join } from "./join.js";
import { confirmByName } from "./confirm.js";
import { copyLines } from "./copy.js";
import { menu } from "./menu.js";
import { politePolling } from "./polling.js";

localTimes(document);
document.body.addEventListener("htmx:afterSwap", (event) => localTimes(event.target));
watchNetwork();
keepSession();
join();
confirmByName();
copyLines();
menu();
politePolling();
