// A lost network is told in words, and so is its return: nobody should wonder what arrived.
let lost = false;

export function networkLost() {
  const banner = document.getElementById("network");
  banner.textContent = document.body.dataset.lost;
  banner.className = "lost";
  if (lost) return;
  lost = true;
  retry();
}

function networkBack() {
  const banner = document.getElementById("network");
  lost = false;
  banner.textContent = document.body.dataset.back;
  banner.className = "back";
  setTimeout(() => {
    if (!lost) banner.textContent = "";
  }, 5000);
}

async function retry() {
  while (lost) {
    await new Promise((done) => setTimeout(done, 2000));
    try {
      const reply = await fetch("/healthz", { cache: "no-store" });
      if (reply.ok) networkBack();
    } catch {
      // Still lost.
    }
  }
}

export function watchNetwork() {
  window.addEventListener("offline", networkLost);
  document.body.addEventListener("htmx:sendError", networkLost);
}
