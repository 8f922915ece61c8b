// The events of a distillation, from its first to its last, whatever the network does meanwhile.
//
// EventSource goes on after the last event by itself where the network fails. Where the portal
// answers with something else (it restarts, the session has ended) it gives up; then this asks
// why, and begins anew. An event that comes twice is taken once.
const KINDS = ["progress", "metric", "log", "status"];
const RETRY_MS = [1000, 2000, 5000, 10000];

export function follow(address, { onEvent, onState, rowAddress }) {
  let last = 0;
  let failures = 0;
  let source = null;

  const connect = () => {
    source = new EventSource(address);
    source.onopen = () => {
      failures = 0;
      onState("open");
    };
    for (const kind of KINDS) {
      source.addEventListener(kind, (event) => {
        const id = Number(event.lastEventId);
        if (id <= last) return;
        last = id;
        onEvent(kind, JSON.parse(event.data), id);
      });
    }
    source.onerror = async () => {
      if (source.readyState !== EventSource.CLOSED) {
        // It connects again by itself. After the last event the portal ends the stream too, and
        // then says that there is no more: that is no loss.
        const state = await look();
        if (state === "unreachable" && source.readyState !== EventSource.OPEN) onState("lost");
        return;
      }
      const state = await look();
      if (state === "ended" || state === "gone") {
        onState(state);
        return;
      }
      onState(state === "signed-out" ? "signed-out" : "lost");
      setTimeout(connect, RETRY_MS[Math.min(failures++, RETRY_MS.length - 1)]);
    };
  };

  const look = async () => {
    try {
      const reply = await fetch(rowAddress, { cache: "no-store" });
      if (reply.status === 401) return "signed-out";
      if (reply.status === 404) return "gone";
      if (!reply.ok) return "unreachable";
      const row = await reply.json();
      return row.finished_at ? "ended" : "running";
    } catch {
      return "unreachable";
    }
  };

  connect();
  return { look };
}
