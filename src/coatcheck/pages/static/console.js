// New events appear by themselves. Without this script the page shows them when it is loaded.
"use strict";
for (const body of document.querySelectorAll("tbody[data-new]")) {
  const table = body.closest("table");
  const most = 200;
  let paused = false;
  let asking = false;

  // What moves by itself can be stopped (WCAG 2.2.2).
  const button = document.createElement("button");
  button.type = "button";
  button.textContent = body.dataset.pause;
  button.addEventListener("click", () => {
    paused = !paused;
    button.textContent = paused ? body.dataset.goOn : body.dataset.pause;
  });
  table.parentElement.before(button);

  const look = async () => {
    const newest = body.querySelector("tr");
    const address = new URL(body.dataset.new, location.href);
    if (newest) address.searchParams.set("since", newest.dataset.place);
    const answer = await fetch(address, { headers: { Accept: "text/html" } });
    // Signed out: the page says so, or the application's own redirect leads to its sign-in.
    if (answer.status === 401 || answer.status === 403 || answer.redirected) location.reload();
    if (!answer.ok || answer.redirected) return;
    const made = document.createElement("template");
    made.innerHTML = await answer.text();
    const rows = made.content.querySelectorAll("tr[data-place]");
    for (const row of rows) row.className += " new";
    body.prepend(...rows);
    while (body.rows.length > most) body.deleteRow(-1);
  };
  setInterval(() => {
    // One question at a time: two that are under way bring the same rows.
    if (paused || asking || document.hidden) return;
    asking = true;
    look().catch(() => {}).finally(() => { asking = false; });
  }, 3000);
}
