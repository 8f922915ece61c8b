// The numbers of a distillation's charts, as its events tell them.
import { thin } from "./thin.js";

// One line. A run that goes on from a checkpoint tells some iterations again: the later word holds.
export class Line {
  points = [];

  add(x, y) {
    while (this.points.length && this.points[this.points.length - 1][0] >= x) this.points.pop();
    this.points.push([x, y]);
  }

  thinned(most) {
    return thin(this.points, most);
  }
}

// The mean over teachers of what they reach at each epoch.
export class MeanLine {
  reached = new Map();

  add(x, y, teacher) {
    if (!this.reached.has(x)) this.reached.set(x, new Map());
    this.reached.get(x).set(teacher, y);
  }

  get points() {
    const mean = (values) => values.reduce((sum, value) => sum + value, 0) / values.length;
    return [...this.reached]
      .map(([x, teachers]) => [x, mean([...teachers.values()])])
      .sort((one, other) => one[0] - other[0]);
  }

  thinned(most) {
    return thin(this.points, most);
  }
}

export function makeCharts() {
  return {
    loss: [new Line(), new Line()],
    alpha: [new Line()],
    accuracy: [new Line()],
    teachers: [new MeanLine()],
  };
}

// The charts that an event changes.
export function take(charts, { phase, done, teacher, metrics }) {
  const changed = new Set();
  const add = (name, index, value, ...more) => {
    if (typeof value !== "number" || !Number.isFinite(value)) return;
    charts[name][index].add(done, value, ...more);
    changed.add(name);
  };
  if (phase === "teaching") {
    add("teachers", 0, metrics.accuracy, teacher);
  } else if (phase === "distilling") {
    add("loss", 0, metrics.loss);
    add("loss", 1, metrics.unweighted_loss);
    add("alpha", 0, metrics.syn_lr);
    add("accuracy", 0, metrics.validation_balanced_accuracy);
  }
  return changed;
}

// Several lines over one axis, as uPlot takes them; null where a line has no point.
export function aligned(lines) {
  const xs = [...new Set(lines.flatMap((points) => points.map(([x]) => x)))].sort((a, b) => a - b);
  const rows = lines.map((points) => {
    const known = new Map(points);
    return xs.map((x) => known.get(x) ?? null);
  });
  return [xs, ...rows];
}
