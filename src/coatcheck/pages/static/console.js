// New events appear by themselves. Without this script the page shows them when it is loaded.
"use strict";
for (const body of document.querySelectorAll("tbody[data-new]")) {
  const table = body.closest("table");
  const most = 200;
  let paused = false;

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
    if (paused || document.hidden) return;
    const newest = body.querySelector("tr");
    const address = new URL(body.dataset.new, location.href);
    if (newest) address.searchParams.set("since", newest.dataset.place);
    const answer = await fetch(address, { headers: { Accept: "text/html" } });
    if (answer.status === 401 || answer.status === 403) location.reload();
    if (!answer.ok) return;
    const made = document.createElement("template");
    made.innerHTML = await answer.text();
    for (const row of made.content.querySelectorAll("tr")) row.className += " new";
    body.prepend(made.content);
    while (body.rows.length > most) body.deleteRow(-1);
  };
  setInterval(() => look().catch(() => {}), 3000);
}
