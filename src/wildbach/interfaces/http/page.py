"""The page at the root: getting in, a list of torrents, adding one, setting a password. Plain HTML and one script."""

from __future__ import annotations

import base64
import hashlib
from typing import Final

from wildbach.net.httpd import Response

_STYLE: Final = """
:root { color-scheme: light dark; --line: #8884; --soft: color-mix(in srgb, currentcolor 65%, transparent); }
body { font: 15px/1.5 system-ui, sans-serif; margin: 0 auto; max-width: 60rem; padding: 1rem; }
header { display: flex; flex-wrap: wrap; gap: .3rem 1.2rem; align-items: baseline; }
h1 { font-size: 1.2rem; margin: 0; }
form { display: flex; flex-wrap: wrap; gap: .5rem; margin: 1rem 0; }
input, button { font: inherit; padding: .4rem .6rem; border: 1px solid var(--soft); border-radius: .4rem; }
input[type=text] { flex: 1 1 16rem; }
table { border-collapse: collapse; width: 100%; table-layout: fixed; }
td, th { text-align: left; padding: .35rem .5rem; border-bottom: 1px solid var(--line); overflow: hidden;
  text-overflow: ellipsis; white-space: nowrap; }
th:first-child { width: 44%; }
th:nth-child(2) { width: 8.5em; }
td.why { white-space: normal; color: var(--soft); font-size: .85em; border: 0; padding-top: 0; }
tr.has-why td { border-bottom: 0; }
.soft { color: var(--soft); }
[role=status] { min-height: 1.5em; }
[hidden] { display: none; }
"""

_BODY: Final = """
<header><h1>wildbach</h1><span id=speed class=soft></span><span id=counts class=soft></span></header>
<p id=say role=status></p>
<form id=login hidden>
  <input name=user value=admin aria-label="User" autocomplete=username required>
  <input name=password type=password aria-label="Password" autocomplete=current-password required>
  <button>Log in</button>
</form>
<form id=password hidden>
  <input name=password type=password minlength=8 aria-label="New password" placeholder="Choose a password"
    autocomplete=new-password required>
  <button>Set password</button>
  <button type=button id=trust>Only this machine, without a password</button>
</form>
<form id=add hidden>
  <input type=text name=url aria-label="Magnet link or URL" placeholder="Magnet link, info hash or URL of a torrent">
  <input type=file name=file aria-label="Torrent files" accept=".torrent" multiple>
  <button>Add</button>
</form>
<table id=list hidden>
  <thead><tr><th>Name<th>State<th>Done<th>Down<th>Up<th>Ratio</thead>
  <tbody></tbody>
</table>
<noscript>This page needs JavaScript. <code>wildbach ls</code> does not.</noscript>
"""

_SCRIPT: Final = """
const api = "api/v1";
const at = (id) => document.getElementById(id);
const say = (text) => { at("say").textContent = text; };
const size = (n) => {
  const units = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"];
  let i = 0;
  while (n >= 1024 && i < units.length - 1) { n /= 1024; i += 1; }
  return (i ? n.toFixed(1) : Math.round(n)) + " " + units[i];
};
const ask = async (method, path, body) => {
  const options = {method: method, headers: {}};
  if (body instanceof Blob) {
    options.headers["Content-Type"] = "application/x-bittorrent";
    options.body = body;
  } else if (body !== undefined) {
    options.headers["Content-Type"] = "application/json";
    options.body = JSON.stringify(body);
  }
  const answer = await fetch(api + path, options);
  const text = await answer.text();
  const found = text ? JSON.parse(text) : null;
  if (!answer.ok) { throw new Error(found && found.detail ? found.detail : "status " + answer.status); }
  return found;
};
const cell = (row, text, kind) => {
  const made = document.createElement("td");
  made.textContent = text;
  if (kind) { made.className = kind; }
  row.append(made);
  return made;
};
const show = (page, transfer) => {
  at("speed").textContent = "\\u2193 " + size(transfer.down_rate) + "/s  \\u2191 " + size(transfer.up_rate) + "/s";
  at("counts").textContent = page.total + (page.total === 1 ? " torrent" : " torrents")
    + (page.loading ? ", more are being listed" : "");
  const rows = [];
  for (const one of page.torrents) {
    const row = document.createElement("tr");
    cell(row, one.name).title = one.name;
    cell(row, one.state);
    cell(row, Math.floor(one.progress * 1000) / 10 + " %");
    cell(row, one.down_rate >= 1 ? size(one.down_rate) + "/s" : "");
    cell(row, one.up_rate >= 1 ? size(one.up_rate) + "/s" : "");
    cell(row, one.ratio.toFixed(2));
    rows.push(row);
    if (one.reason) {
      row.className = "has-why";
      const why = document.createElement("tr");
      cell(why, one.reason, "why").colSpan = 6;
      rows.push(why);
    }
  }
  at("list").tBodies[0].replaceChildren(...rows);
};
let looking = false;
const look = async () => {
  if (looking || document.hidden) { return; }
  looking = true;
  try {
    show(await ask("GET", "/torrents?sort=added_at&descending=true&limit=50"), await ask("GET", "/transfer"));
  } catch (error) { say(error.message); }
  looking = false;
};
let timer = null;
const begin = async () => {
  const session = await ask("GET", "/session");
  const user = session.role === "user";
  at("login").hidden = session.role !== null || !session.password_set;
  let trusted = false;
  if (user) { trusted = (await ask("GET", "/access")).trust_local; }
  at("password").hidden = !user || session.password_set || trusted;
  at("add").hidden = !user;
  at("list").hidden = session.role === null;
  if (session.role === null && !session.password_set) {
    say("Nobody may look yet: open the link that was shown when wildbach started. `wildbach open` makes another.");
  } else if (!at("password").hidden) {
    say("You are in. Choose a password for the next time, and for programs such as Sonarr.");
  } else { say(""); }
  if (session.role !== null && timer === null) { timer = setInterval(look, 2000); }
  if (session.role !== null) { await look(); }
};
const act = (id, work) => at(id).addEventListener("submit", async (event) => {
  event.preventDefault();
  const form = event.target;
  try {
    const said = await work(form);
    form.reset();
    await begin();
    if (said) { say(said); }
  } catch (error) { say(error.message); }
});
act("login", (form) => ask("POST", "/login", {user: form.user.value, password: form.password.value}));
act("password", (form) => ask("POST", "/access/password", {password: form.password.value}));
act("add", async (form) => {
  const files = [...form.file.files];
  const results = [];
  for (const file of files) { results.push(...(await ask("POST", "/torrents", file)).added); }
  if (form.url.value.trim()) {
    results.push(...(await ask("POST", "/torrents", {urls: [form.url.value.trim()]})).added);
  }
  const bad = results.filter((one) => one.error);
  return bad.length ? bad.map((one) => one.error).join("; ") : "";
});
at("trust").addEventListener("click", async () => {
  try { await ask("PATCH", "/access", {trust_local: true}); await begin(); } catch (error) { say(error.message); }
});
begin().catch((error) => say(error.message));
"""


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


_PAGE: Final = (
    "<!doctype html><html lang=en><head><meta charset=utf-8>"
    "<meta name=viewport content='width=device-width, initial-scale=1'>"
    f"<title>wildbach</title><style>{_STYLE}</style></head><body>{_BODY}<script>{_SCRIPT}</script></body></html>\n"
).encode()
_POLICY: Final = (
    f"default-src 'none'; connect-src 'self'; style-src {_hash(_STYLE)}; script-src {_hash(_SCRIPT)}; "
    "frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
)


def page() -> Response:
    """For everybody: what is in it comes from the Api, which asks who one is."""
    return Response(_PAGE, content_type="text/html", headers={"Content-Security-Policy": _POLICY})
