// Uploads one archive to one dataset: chosen or dropped, paused, broken off and gone on with, from
// this page or, after a reload, from the same file chosen again.
import { looksLikeArchive, fingerprint } from "./uploads/recognise.js";
import { Speed, size } from "./uploads/numbers.js";
import { Panel } from "./uploads/panel.js";
import { begin, end, fingerprintOf, statusOf, unfinished } from "./uploads/portal.js";
import { Transfer } from "./uploads/transfer.js";

const AFTER_ARRIVAL = 1500;
const AWAITS = ["awaiting_upload", "rejected"];

class Uploading {
  constructor(root) {
    this.panel = new Panel(root);
    this.datasetId = root.dataset.dataset;
    this.most = Number(root.dataset.most);
    this.input = root.querySelector("input[type=file]");
    this.speed = new Speed();
    this.file = null;
    this.address = null;
    this.transfer = null;
    this.sent = 0;
    this.there = [];
    this.input.addEventListener("change", () => this.take(this.input.files));
    root.addEventListener("click", (event) => {
      const action = event.target.closest("[data-do]")?.dataset.do;
      if (action) this[action]();
    });
    this.acceptDrops(root.querySelector(".drop"));
    this.begin();
  }

  acceptDrops(place) {
    const isFile = (event) => event.dataTransfer?.types.includes("Files");
    // Dropped beside the place, a browser would leave the page and open the file.
    for (const name of ["dragover", "drop"]) {
      window.addEventListener(name, (event) => isFile(event) && event.preventDefault());
    }
    place.addEventListener("dragover", () => place.classList.add("over"));
    place.addEventListener("dragleave", () => place.classList.remove("over"));
    place.addEventListener("drop", (event) => {
      place.classList.remove("over");
      if (event.dataTransfer.files.length) this.take(event.dataTransfer.files);
    });
  }

  // What is here already of this dataset's archive, whoever sent it.
  async begin() {
    this.file = this.address = this.transfer = null;
    this.input.value = "";
    try {
      this.there = await unfinished(this.datasetId);
    } catch {
      this.there = [];
    }
    const [first] = this.there;
    if (first !== undefined && first.offset === first.length) return this.arrived(first.length);
    this.panel.show("choose", ...(first === undefined ? [] : ["unfinished"]));
    if (first === undefined) return;
    const values = { sent: size(first.offset), total: size(first.length), file: first.filename };
    this.panel.part("again").textContent = this.panel.text(first.filename ? "again" : "againUnnamed", values);
    const until = new Intl.DateTimeFormat(document.documentElement.lang, { dateStyle: "medium", timeStyle: "short" });
    this.panel.part("kept").textContent = this.panel.text("kept", { time: until.format(new Date(first.expires_at)) });
    this.panel.tell(this.panel.part("again").textContent);
  }

  async take(files) {
    this.panel.noProblem();
    const [file] = files;
    if (file === undefined || this.transfer !== null) return;
    if (files.length > 1) return this.panel.problem("several");
    if (file.size === 0) return this.panel.problem("empty");
    if (file.size > this.most) {
      return this.panel.problem("large", { size: size(file.size), most: size(this.most) });
    }
    this.file = file;
    try {
      if (!(await looksLikeArchive(file))) return this.panel.problem("noArchive");
      this.mark = await fingerprint(file);
    } catch {
      return this.panel.problem("unreadable");
    }
    this.prepare(file);
    this.panel.say(this.panel.text("looking"));
    try {
      await this.goOn(file);
    } catch (refused) {
      this.failed("refused", refused.problem);
    }
  }

  async goOn(file) {
    this.there = await unfinished(this.datasetId);
    for (const upload of this.there.filter(({ length }) => length === file.size)) {
      if ((await fingerprintOf(upload.address)) === this.mark) return this.send(upload.address);
    }
    if (this.there.length === 0) return this.send(await begin(file, this.datasetId, this.mark));
    const [{ offset, length }] = this.there;
    this.panel.part("otherText").textContent = this.panel.text("other", { sent: size(offset), total: size(length) });
    this.panel.show("other");
    this.panel.part("other").querySelector("[data-do=back]").focus();
  }

  async instead() {
    const file = this.file;
    this.prepare(file);
    try {
      for (const { address } of this.there) await end(address);
      await this.send(await begin(file, this.datasetId, this.mark));
    } catch (refused) {
      this.failed("refused", refused.problem);
    }
  }

  back() {
    this.begin();
  }

  // Remove what arrived from a file that nobody has any more.
  async forget() {
    try {
      for (const { address } of this.there) await end(address);
      this.panel.tell(this.panel.text("removed"));
      await this.begin();
      this.input.focus();
    } catch (refused) {
      this.panel.problem("refused", {}, refused.problem);
    }
  }

  prepare(file) {
    this.sent = 0;
    this.speed.forget();
    this.panel.part("name").textContent = file.name;
    this.panel.part("sure").hidden = true;
    this.panel.part("signIn").hidden = true;
    this.panel.buttons();
    this.panel.progress(0, file.size, null);
    this.panel.show("sending");
  }

  send(address) {
    this.address = address;
    this.transfer = new Transfer(this.file, address, this);
    this.transfer.start();
  }

  // What happens to the transfer.

  // Asks how much is there; nobody knows yet whether the line is good.
  sends(isFirst) {
    this.speed.forget();
    this.panel.part("signIn").hidden = true;
    this.panel.progress(this.sent, this.file.size, null);
    this.say(isFirst ? "looking" : "trying", ["pause", "cancel"]);
    this.isMoving = false;
  }

  moved(sent, total) {
    if (!this.isMoving) this.say("sending", ["pause", "cancel"]);
    this.isMoving = true;
    this.sent = sent;
    this.speed.saw(sent);
    if (performance.now() - (this.shownAt ?? 0) < 250 && sent < total) return;
    this.shownAt = performance.now();
    this.panel.progress(sent, total, this.speed.now());
    if (sent === total) this.say("finishing", []);
  }

  waits(why, seconds) {
    this.panel.progress(this.sent, this.file.size, null);
    this.panel.say(this.panel.text(why, { seconds }));
    this.panel.buttons("now", "pause", "cancel");
    if (this.waitsFor !== why) this.panel.tell(this.panel.text(why, { seconds }));
    this.waitsFor = why;
  }

  sessionEnded() {
    this.panel.part("signIn").hidden = false;
    this.say("session", ["now", "cancel"]);
  }

  failed(name, problem) {
    this.transfer = null;
    this.panel.problem(name, {}, problem);
    this.begin();
  }

  // The check begins once the archive is in its place; the page then shows it.
  async arrived(length) {
    this.panel.show("sending");
    this.panel.progress(length, length, null);
    this.say("finishing", []);
    for (;;) {
      try {
        if (!AWAITS.includes(await statusOf(this.datasetId))) break;
        if ((await unfinished(this.datasetId)).length === 0) break;
      } catch {
        // No connection: it goes on without this page.
      }
      await new Promise((done) => setTimeout(done, AFTER_ARRIVAL));
    }
    this.say("done", []);
    location.assign(`/datasets/${this.datasetId}`);
  }

  say(name, buttons) {
    this.waitsFor = null;
    this.panel.say(this.panel.text(name));
    this.panel.tell(this.panel.text(name));
    this.panel.buttons(...buttons);
  }

  // What the buttons do.

  async pause() {
    await this.transfer.stop();
    this.panel.progress(this.sent, this.file.size, null);
    this.say("paused", ["resume", "cancel"]);
    this.panel.part("buttons").querySelector("[data-do=resume]").focus();
  }

  resume() {
    this.transfer.start();
    this.panel.part("buttons").querySelector("[data-do=pause]").focus();
  }

  now() {
    this.transfer.now();
  }

  async cancel() {
    await this.transfer.stop();
    this.say("paused", []);
    this.panel.part("sureText").textContent = this.panel.text("sure", { sent: size(this.sent) });
    this.panel.part("sure").hidden = false;
    this.panel.part("sure").querySelector("[data-do=keep]").focus();
  }

  keep() {
    this.panel.part("sure").hidden = true;
    this.say("paused", ["resume", "cancel"]);
    this.panel.part("buttons").querySelector("[data-do=resume]").focus();
  }

  async remove() {
    try {
      await end(this.address);
    } catch (refused) {
      return this.panel.problem("refused", {}, refused.problem);
    }
    this.panel.tell(this.panel.text("removed"));
    await this.begin();
    this.input.focus();
  }
}

const root = document.querySelector("[data-upload]");
if (root) new Uploading(root);
