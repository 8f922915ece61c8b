// Run by tests/app/web/test_scripts.py: `node --test frontend/test/`.
import assert from "node:assert/strict";
import { File } from "node:buffer";
import test from "node:test";
import { duration, size, Speed } from "../src/uploads/numbers.js";
import { fingerprint, looksLikeArchive } from "../src/uploads/recognise.js";

const MEGABYTE = 1024 * 1024;
const fileOf = (bytes, name = "chest.zip") => new File([bytes], name);

test("the same bytes have the same fingerprint, whatever the file is called", async () => {
  const bytes = new Uint8Array(5 * MEGABYTE).map((_, place) => place % 251);
  assert.equal(await fingerprint(fileOf(bytes)), await fingerprint(fileOf(bytes, "other.zip")));
});

test("another byte at the beginning, in the middle or at the end is another file", async () => {
  const bytes = new Uint8Array(5 * MEGABYTE);
  const marks = new Set([await fingerprint(fileOf(bytes))]);
  for (const place of [0, 2.5 * MEGABYTE, 5 * MEGABYTE - 1]) {
    const changed = bytes.slice();
    changed[place] = 1;
    marks.add(await fingerprint(fileOf(changed)));
  }
  marks.add(await fingerprint(fileOf(bytes.slice(1))));
  assert.equal(marks.size, 5);
});

test("small files, and empty ones, have a fingerprint too", async () => {
  assert.notEqual(await fingerprint(fileOf(Uint8Array.of(1))), await fingerprint(fileOf(new Uint8Array())));
});

test("archives are known by what they hold, and other files refused before they are sent", async () => {
  const tar = new Uint8Array(512);
  tar.set(new TextEncoder().encode("ustar"), 257);
  for (const bytes of [
    Uint8Array.of(0x50, 0x4b, 3, 4),
    Uint8Array.of(0x1f, 0x8b),
    Uint8Array.of(0x42, 0x5a, 0x68),
    Uint8Array.of(0xfd, 0x37, 0x7a, 0x58, 0x5a, 0),
    Uint8Array.of(0x28, 0xb5, 0x2f, 0xfd),
    tar,
  ]) {
    assert.ok(await looksLikeArchive(fileOf(bytes, "a name that says nothing")));
  }
  for (const text of ["", "%PDF-1.7", "PNG"]) {
    assert.ok(!(await looksLikeArchive(fileOf(new TextEncoder().encode(text)))));
  }
});

test("sizes are written as the pages write them", () => {
  const written = [999, 1000, 999_499, 999_500, 49_015_791, 3_214_000_000].map(size);
  assert.deepEqual(written, ["999 B", "1 kB", "999 kB", "1 MB", "49 MB", "3.21 GB"]);
});

test("times have two units at most", () => {
  const written = [0.2, 59.4, 125, 660, 7500].map(duration);
  assert.deepEqual(written, ["1 s", "59 s", "2 min 5 s", "11 min", "2 h 5 min"]);
});

test("a speed is told once there is one, of the last seconds alone", (context) => {
  context.mock.timers.enable({ apis: ["Date"] });
  let now = 0;
  context.mock.method(performance, "now", () => now);
  const speed = new Speed();
  const saw = [];
  for (let second = 0; second <= 60; second += 1) {
    now = second * 1000;
    speed.saw(second < 30 ? second * 1000 : 30_000 + (second - 30) * 5000);
    saw.push(speed.now());
  }
  assert.deepEqual(saw.slice(0, 3), [null, null, 1000]);
  assert.equal(saw[60], 5000);
  speed.forget();
  assert.equal(speed.now(), null);
});
