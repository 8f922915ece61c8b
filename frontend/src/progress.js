// The page of one distillation while it runs: its fragments, charts and log follow its events.
import { Chart } from "./chart.js";
import { follow } from "./follow.js";
import { makeCharts, take } from "./series.js";

const DRAW_MS = 300;
const MOVE_MS = 2000;
const AGAIN_MS = 5000;
const SPEAK_MS = 60_000;
const MOST_LINES = 1000;

const live = document.getElementById("live");

function followPage() {
  const charts = makeCharts();
  const drawn = {};
  const waiting = new Set();
  const draw = throttled(DRAW_MS, () => {
    document.getElementById("charts").hidden = false;
    for (const name of waiting) {
      drawn[name] ??= new Chart(document.getElementById(`chart-${name}`), charts[name]);
      drawn[name].draw();
    }
    waiting.clear();
  });
  // What a page that was loaded at this moment would show already.
  const loaded = { status: shownStatus() };
  const move = throttled(MOVE_MS, () => tell("progress", "moved"));
  const change = throttled(DRAW_MS, () => {
    if (loaded.status === shownStatus()) return;
    tell("state", "changed");
    tell("progress", "moved");
  });

  const { look } = follow(live.dataset.follow, {
    rowAddress: live.dataset.row,
    onState: showConnection,
    onEvent: (kind, data, id) => {
      if (kind === "metric") {
        for (const name of take(charts, data)) waiting.add(name);
        if (waiting.size) draw();
      } else if (kind === "log") {
        addLine(data, id);
      } else if (kind === "status") {
        loaded.status = data.status;
        change();
      } else if (!isFinal()) {
        move();
      }
    },
  });

  document.body.addEventListener("htmx:afterSwap", speak);
  keepOnFailure(live);
  document.addEventListener("visibilitychange", async () => {
    // Somebody else may have gone on with one that had ended.
    if (document.visibilityState === "visible" && isFinal() && (await look()) === "running")
      location.reload();
  });
}

function throttled(milliseconds, work) {
  let timer = null;
  return () => {
    timer ??= setTimeout(() => {
      timer = null;
      work();
    }, milliseconds);
  };
}

const statusLine = () => live.querySelector("[data-status]");
const shownStatus = () => statusLine().dataset.status;
const isFinal = () => statusLine().dataset.final === "yes";

function tell(id, event) {
  document.getElementById(id).dispatchEvent(new CustomEvent(event));
}

// A portal that restarts may answer with a problem: what is shown stays, and is asked for again.
function keepOnFailure(place) {
  place.addEventListener("htmx:beforeSwap", ({ detail }) => {
    if (detail.requestConfig.verb !== "get" || detail.xhr.status < 400) return;
    detail.shouldSwap = false;
    const { id } = detail.elt;
    setTimeout(() => tell(id, id === "state" ? "changed" : "moved"), AGAIN_MS);
  });
}

function showConnection(state) {
  const banner = document.getElementById("connection");
  if (state === "lost") banner.textContent = banner.dataset.lost;
  else if (state === "signed-out") banner.textContent = banner.dataset.ended;
  else if (!banner.hidden && banner.classList.contains("lost")) {
    banner.textContent = banner.dataset.back;
    tell("state", "changed");
    tell("progress", "moved");
    banner.className = "connection back";
    setTimeout(() => {
      if (banner.classList.contains("back")) banner.hidden = true;
    }, 5000);
    return;
  } else return;
  banner.hidden = false;
  banner.className = "connection lost";
}

// Progress is spoken at the start of a phase and once a minute, not at every step.
const spoken = { at: 0, status: null };
function speak() {
  const sentence = live.querySelector("[data-spoken]") ?? statusLine();
  const status = shownStatus();
  if (spoken.status === status && Date.now() - spoken.at < SPEAK_MS) return;
  spoken.at = Date.now();
  spoken.status = status;
  document.getElementById("spoken").textContent = sentence.textContent.replace(/\s+/g, " ").trim();
}

const time = new Intl.DateTimeFormat(document.documentElement.lang, { timeStyle: "medium" });
function addLine(data, id) {
  const list = document.getElementById("log");
  if (id <= Number(list.lastElementChild?.dataset.event ?? 0)) return;
  // Lines that came before the ones that the page was loaded with are there already or are too old.
  document.getElementById("log-empty").hidden = true;
  const line = document.createElement("p");
  line.dataset.event = id;
  const when = document.createElement("time");
  when.dateTime = data.at;
  when.title = data.at;
  when.textContent = time.format(new Date(data.at));
  line.append(when, ` ${data.message}`);
  list.append(line);
  while (list.children.length > MOST_LINES) list.firstElementChild.remove();
}

if (live) followPage();
