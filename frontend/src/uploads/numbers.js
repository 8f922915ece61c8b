// Sizes and times as the pages write them (app/web/formats.py), and the speed of the last seconds.
const UNITS = ["B", "kB", "MB", "GB", "TB"];

export function size(bytes) {
  let value = bytes;
  let unit = 0;
  while (value >= 999.5 && unit < UNITS.length - 1) {
    value /= 1000;
    unit += 1;
  }
  return `${unit === 0 ? Math.round(value) : Number(value.toPrecision(3))} ${UNITS[unit]}`;
}

export function duration(seconds) {
  const whole = Math.max(1, Math.round(seconds));
  if (whole < 60) return `${whole} s`;
  const minutes = Math.floor(whole / 60);
  if (minutes < 10 && whole % 60) return `${minutes} min ${whole % 60} s`;
  if (minutes < 60) return `${minutes} min`;
  const hours = Math.floor(minutes / 60);
  return minutes % 60 ? `${hours} h ${minutes % 60} min` : `${hours} h`;
}

const WINDOW = 15_000;

export class Speed {
  #seen = [];

  forget() {
    this.#seen = [];
  }

  saw(bytes) {
    const now = performance.now();
    this.#seen.push([now, bytes]);
    while (now - this.#seen[0][0] > WINDOW) this.#seen.shift();
  }

  // Bytes a second; null until two seconds of it were seen.
  now() {
    if (this.#seen.length < 2) return null;
    const [since, before] = this.#seen[0];
    const [until, after] = this.#seen[this.#seen.length - 1];
    return until - since < 2000 || after <= before ? null : ((after - before) * 1000) / (until - since);
  }
}
