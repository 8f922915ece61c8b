// The bytes of one file to one upload, by tus. Whatever breaks is tried again for as long as the
// page is open, unless trying again cannot help.
import { Upload } from "tus-js-client";
import { csrf, renewSession } from "./portal.js";

const CHUNK = 64 * 1024 * 1024;
const LONGEST_WAIT = 30;
const SILENCE = 90_000;
const SESSION_WAIT = 10;

// `tell` has a function for everything that may happen; see upload.js.
export class Transfer {
  #upload;
  #tell;
  #tries = 0;
  #refusals = 0;
  #timer = null;
  #watch = null;
  #isOn = false;
  #length;

  constructor(file, address, tell) {
    this.#tell = tell;
    this.#length = file.size;
    this.#upload = new Upload(file, {
      uploadUrl: address,
      chunkSize: CHUNK,
      // Waiting and trying again happen here, where they can be told in words.
      retryDelays: null,
      storeFingerprintForResuming: false,
      onBeforeRequest: (request) => {
        for (const [name, value] of Object.entries(csrf())) request.setHeader(name, value);
      },
      onProgress: (sent, total) => this.#moved(sent, total),
      onSuccess: () => this.#ended(),
      onError: (error) => this.#broke(error),
    });
  }

  start() {
    this.#isOn = true;
    window.addEventListener("online", this.#again);
    document.addEventListener("visibilitychange", this.#looked);
    this.#send(true);
  }

  // Nothing more is sent until `start`.
  async stop() {
    this.#off();
    await this.#upload.abort();
  }

  now() {
    this.#again();
  }

  #off() {
    this.#isOn = false;
    clearInterval(this.#timer);
    clearTimeout(this.#watch);
    this.#timer = null;
    window.removeEventListener("online", this.#again);
    document.removeEventListener("visibilitychange", this.#looked);
  }

  #send(isFirst = false) {
    this.#tell.sends(isFirst);
    this.#expectMovement();
    this.#upload.start();
  }

  // A line that died without a word is noticed by its silence.
  #expectMovement() {
    clearTimeout(this.#watch);
    this.#watch = setTimeout(async () => {
      if (!this.#isOn) return;
      await this.#upload.abort();
      this.#wait("lost");
    }, SILENCE);
  }

  #moved(sent, total) {
    if (!this.#isOn) return;
    this.#tries = 0;
    this.#refusals = 0;
    if (sent < total) this.#expectMovement();
    else clearTimeout(this.#watch);
    this.#tell.moved(sent, total);
  }

  #ended() {
    this.#off();
    this.#tell.arrived(this.#length);
  }

  async #broke(error) {
    if (!this.#isOn) return;
    clearTimeout(this.#watch);
    const reply = error.originalResponse;
    const status = reply ? reply.getStatus() : 0;
    const problem = reply ? parsed(reply.getBody()) : null;
    const code = problem?.type?.split(/[/:]/).pop();
    if (!error.originalRequest) return this.#fails("unreadable", null);
    if (status === 401 || status === 403) return this.#refused(problem);
    if (status === 423 || status === 429) return this.#wait("busy");
    if (status === 0 || status >= 500 || status === 408 || status === 460) return this.#wait("lost");
    if (status === 409 && code === "upload-offset") return this.#wait("lost", 1);
    if (status === 404 || status === 410) return this.#fails("gone", null);
    if (status === 409) return this.#fails("over", problem);
    return this.#fails("refused", problem);
  }

  async #refused(problem) {
    if (await renewSession()) {
      // Signed in, perhaps anew; refused twice it is for another reason.
      this.#refusals += 1;
      if (this.#refusals > 2) return this.#fails("refused", problem);
      return this.#isOn && this.#send();
    }
    this.#tell.sessionEnded();
    this.#timer ??= setInterval(this.#looked, SESSION_WAIT * 1000);
  }

  #looked = async () => {
    if (this.#timer === null || document.visibilityState !== "visible") return;
    if (await renewSession()) this.#again();
  };

  #fails(name, problem) {
    this.#off();
    this.#tell.failed(name, problem);
  }

  #wait(why, seconds = Math.min(LONGEST_WAIT, 2 ** this.#tries)) {
    this.#tries += 1;
    clearInterval(this.#timer);
    let left = seconds;
    this.#tell.waits(why, left);
    this.#timer = setInterval(() => {
      left -= 1;
      if (left <= 0) this.#again();
      else this.#tell.waits(why, left);
    }, 1000);
  }

  #again = () => {
    if (!this.#isOn || this.#timer === null) return;
    clearInterval(this.#timer);
    this.#timer = null;
    this.#send();
  };
}

function parsed(body) {
  try {
    return JSON.parse(body);
  } catch {
    return null;
  }
}
