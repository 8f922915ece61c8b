// The parts of the page that an upload shows: it writes words and numbers, and decides nothing.
import { duration, size } from "./numbers.js";

export class Panel {
  #parts = {};
  #tenth = 0;

  constructor(root) {
    this.root = root;
    this.texts = JSON.parse(root.dataset.texts);
    for (const part of root.querySelectorAll("[data-part]")) this.#parts[part.dataset.part] = part;
  }

  part(name) {
    return this.#parts[name];
  }

  show(...names) {
    for (const name of ["unfinished", "choose", "other", "sending"]) {
      this.part(name).hidden = !names.includes(name);
    }
  }

  // Only these buttons of the running upload.
  buttons(...names) {
    for (const button of this.part("buttons").querySelectorAll("[data-do]")) {
      button.hidden = !names.includes(button.dataset.do);
    }
  }

  say(text) {
    this.part("state").textContent = text;
  }

  // For screen readers: what changed, not each second.
  tell(text) {
    if (this.part("told").textContent !== text) this.part("told").textContent = text;
  }

  text(name, values = {}) {
    return fill(this.texts[name], values);
  }

  problem(name, values = {}, detail = null) {
    const [title, text] = this.texts.problem[name];
    this.#problem(detail?.title ?? title, detail?.detail ?? fill(text, values));
  }

  #problem(title, text) {
    this.part("problem").hidden = false;
    this.part("problemTitle").textContent = title;
    this.part("problemText").textContent = text;
  }

  noProblem() {
    this.part("problem").hidden = true;
  }

  progress(sent, total, speed) {
    const bar = this.part("bar");
    bar.value = total === 0 ? 0 : Math.floor((1000 * sent) / total);
    this.part("size").textContent = this.text("size", { sent: size(sent), total: size(total) });
    this.part("speed").textContent = speed === null ? "" : this.text("speed", { speed: size(speed) });
    this.part("left").textContent =
      speed === null ? "" : this.text("left", { left: duration((total - sent) / speed) });
    const tenth = Math.floor((10 * sent) / total);
    if (tenth > this.#tenth && tenth < 10) this.tell(this.text("percent", { percent: tenth * 10 }));
    this.#tenth = tenth;
  }
}

function fill(text, values) {
  return text.replace(/\{(\w+)\}/g, (all, name) => values[name] ?? all);
}
