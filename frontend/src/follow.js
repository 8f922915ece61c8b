// The events of a distillation, from its first to its last, whatever the network does meanwhile.
//
// EventSource goes on after the last event by itself where the network fails. Where the portal
// answers with something else (it restarts, the session has ended) it gives up; then this asks
// why, and begins anew. An event that comes twice is taken once.
const KINDS = ["progress", "metric", "log", "status"];
const FINAL = ["ready", "failed", "cancelled"];
const RETRY_MS = [1000, 2000, 5000, 10000];
const PATIENCE_MS = 5000; // a portal that restarts keeps whoever connects waiting for some seconds

export function follow(address, { onEvent, onState, rowAddress }) {
  let last = 0;
  let failures = 0;
  let ended = false;
  let source = null;
  let patience = null;

  const connect = () => {
    source = new EventSource(address);
    source.onopen = () => {
      failures = 0;
      clearTimeout(patience);
      patience = null;
      onState("open");
    };
    for (const kind of KINDS) {
      source.addEventListener(kind, (event) => {
        const id = Number(event.lastEventId);
        if (id <= last) return;
        last = id;
        const data = JSON.parse(event.data);
        if (kind === "status") ended = FINAL.includes(data.status);
        onEvent(kind, data, id);
      });
    }
    source.onerror = () => {
      // After the last event the portal ends the stream: that is no loss.
      if (source.readyState === EventSource.CLOSED) beginAnew();
      else patience ??= setTimeout(tellLoss, PATIENCE_MS);
    };
  };

  const tellLoss = () => {
    patience = null;
    if (source.readyState !== EventSource.OPEN && !ended) onState("lost");
  };

  const beginAnew = async () => {
    const state = await look();
    if (state === "ended" && ended) return;
    if (state === "gone") return;
    if (state !== "running" && state !== "ended") onState(state);
    setTimeout(connect, RETRY_MS[Math.min(failures++, RETRY_MS.length - 1)]);
  };

  const look = async () => {
    try {
      const reply = await fetch(rowAddress, {
        cache: "no-store",
        signal: AbortSignal.timeout(PATIENCE_MS),
      });
      if (reply.status === 401) return "signed-out";
      if (reply.status === 404) return "gone";
      if (!reply.ok) return "lost";
      const row = await reply.json();
      return row.finished_at ? "ended" : "running";
    } catch {
      return "lost";
    }
  };

  connect();
  return { look };
}
