// Fewer points that draw the same line: of each bucket the lowest and the highest are kept, so that
// no peak is lost, and the first and the last of all.
export function thin(points, most) {
  if (points.length <= most) return points;
  const kept = [points[0]];
  const inner = points.length - 2;
  const buckets = Math.max(1, Math.floor((most - 2) / 2));
  for (let bucket = 0; bucket < buckets; bucket++) {
    const from = 1 + Math.floor((bucket * inner) / buckets);
    const to = 1 + Math.floor(((bucket + 1) * inner) / buckets);
    let low = from;
    let high = from;
    for (let i = from; i < to; i++) {
      if (points[i][1] < points[low][1]) low = i;
      if (points[i][1] > points[high][1]) high = i;
    }
    if (from === to) continue;
    kept.push(points[Math.min(low, high)]);
    if (low !== high) kept.push(points[Math.max(low, high)]);
  }
  kept.push(points[points.length - 1]);
  return kept;
}
