// What the upload asks of the portal beside the bytes themselves. A request that could not be made
// has the status 0.
const FOLDER = "/api/v1/uploads";
const VERSION = { "Tus-Resumable": "1.0.0" };

export class Refused extends Error {
  constructor(status, problem = null) {
    super(problem?.detail ?? `status ${status}`);
    this.status = status;
    this.problem = problem;
  }
}

export function csrf() {
  return JSON.parse(document.body.getAttribute("hx-headers") ?? "{}");
}

async function ask(method, address, headers = {}) {
  let reply;
  try {
    reply = await fetch(address, { method, headers: { ...csrf(), ...headers }, cache: "no-store" });
  } catch {
    throw new Refused(0);
  }
  if (!reply.ok) throw new Refused(reply.status, await reply.json().catch(() => null));
  return reply;
}

export async function unfinished(datasetId) {
  const found = [];
  let cursor = null;
  do {
    const more = cursor === null ? "" : `&cursor=${encodeURIComponent(cursor)}`;
    const listed = await (await ask("GET", `${FOLDER}?limit=200${more}`)).json();
    found.push(...listed.items.filter((upload) => upload.dataset_id === datasetId));
    cursor = listed.next_cursor;
  } while (cursor !== null);
  return found.map((upload) => ({ ...upload, address: `${FOLDER}/${upload.id}` }));
}

export async function begin(file, datasetId, fingerprint) {
  const metadata = { dataset_id: datasetId, filename: file.name.slice(0, 300), fingerprint };
  const reply = await ask("POST", FOLDER, {
    ...VERSION,
    "Upload-Length": String(file.size),
    "Upload-Metadata": Object.entries(metadata)
      .map(([key, value]) => `${key} ${base64(value)}`)
      .join(","),
  });
  return reply.headers.get("Location");
}

// The fingerprint that an upload was begun with; null where another program began it.
export async function fingerprintOf(address) {
  const reply = await ask("HEAD", address, VERSION);
  const pairs = (reply.headers.get("Upload-Metadata") ?? "").split(",");
  const pair = pairs.map((each) => each.split(" ")).find(([key]) => key === "fingerprint");
  return pair === undefined ? null : atob(pair[1]);
}

export async function end(address) {
  try {
    await ask("DELETE", address, VERSION);
  } catch (refused) {
    if (![404, 410].includes(refused.status)) throw refused;
  }
}

export async function statusOf(datasetId) {
  return (await (await ask("GET", `/api/v1/datasets/${datasetId}`)).json()).status;
}

// Whether somebody is signed in, perhaps anew in another tab; the page goes on with their token.
export async function renewSession() {
  try {
    const { csrf_token: token } = await (await ask("GET", "/api/v1/session")).json();
    document.body.setAttribute("hx-headers", JSON.stringify({ "X-CSRF-Token": token }));
    for (const field of document.querySelectorAll("input[name=csrf_token]")) field.value = token;
    return true;
  } catch {
    return false;
  }
}

function base64(text) {
  return btoa(String.fromCharCode(...new TextEncoder().encode(text)));
}
