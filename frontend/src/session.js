// Somebody whose session ended signs in again in another tab; the forms of this page then go on
// with the new session's token, and nothing that was typed is lost.
export function keepSession() {
  let signsIn = false;
  document.body.addEventListener("click", (event) => {
    if (event.target.closest("[data-signs-in]")) signsIn = true;
  });
  document.body.addEventListener("htmx:confirm", async (event) => {
    if (!signsIn) return;
    event.preventDefault();
    signsIn = !(await takeToken());
    event.detail.issueRequest();
  });
}

async function takeToken() {
  const reply = await fetch("/api/v1/session");
  if (!reply.ok) return false;
  const { csrf_token: token } = await reply.json();
  document.body.setAttribute("hx-headers", JSON.stringify({ "X-CSRF-Token": token }));
  for (const field of document.querySelectorAll("input[name=csrf_token]")) field.value = token;
  return true;
}
