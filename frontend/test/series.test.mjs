// Run by tests/app/web/test_scripts.py: `node --test frontend/test/`.
import assert from "node:assert/strict";
import test from "node:test";
import { aligned, Line, makeCharts, MeanLine, take } from "../src/series.js";
import { thin } from "../src/thin.js";

const wave = (count) => Array.from({ length: count }, (_, x) => [x, Math.sin(x / 50)]);

test("few points stay as they are", () => {
  const points = wave(10);
  assert.equal(thin(points, 10), points);
});

test("ten thousand points become few, and the line keeps its ends and its peaks", () => {
  const points = wave(10_000);
  points[7654][1] = 9;
  points[123][1] = -9;
  const kept = thin(points, 1200);
  assert.ok(kept.length <= 1200 && kept.length > 1000);
  assert.deepEqual(kept[0], points[0]);
  assert.deepEqual(kept.at(-1), points.at(-1));
  assert.ok(kept.some(([x, y]) => x === 7654 && y === 9));
  assert.ok(kept.some(([x, y]) => x === 123 && y === -9));
  assert.deepEqual(kept, [...kept].sort((one, other) => one[0] - other[0]));
});

test("a run that goes on from a checkpoint replaces what it tells again", () => {
  const line = new Line();
  for (const x of [1, 2, 3, 4, 5]) line.add(x, x);
  line.add(4, 40);
  assert.deepEqual(line.points, [[1, 1], [2, 2], [3, 3], [4, 40]]);
});

test("teachers are one line, the mean of those that reached an epoch", () => {
  const line = new MeanLine();
  line.add(1, 0.5, 0);
  line.add(2, 0.8, 0);
  line.add(1, 0.7, 1);
  line.add(1, 0.7, 1);
  assert.deepEqual(line.points, [[1, 0.6], [2, 0.8]]);
});

test("events go to their charts, and what is no number to none", () => {
  const charts = makeCharts();
  const metrics = { loss: 0.9, unweighted_loss: 1, syn_lr: 0.01 };
  assert.deepEqual([...take(charts, { phase: "distilling", done: 3, metrics })], ["loss", "alpha"]);
  assert.deepEqual([...take(charts, { phase: "auditing", done: 3, metrics })], []);
  const broken = { loss: null, syn_lr: "NaN" };
  assert.deepEqual([...take(charts, { phase: "distilling", done: 4, metrics: broken })], []);
  const taught = { phase: "teaching", teacher: 1, done: 1, metrics: { accuracy: 0.5 } };
  assert.deepEqual([...take(charts, taught)], ["teachers"]);
});

test("lines of other places share one axis", () => {
  assert.deepEqual(
    aligned([[[1, 10], [3, 30]], [[2, 20]]]),
    [[1, 2, 3], [10, null, 30], [null, 20, null]],
  );
});
