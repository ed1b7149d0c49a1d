// The page of `spectrace serve`: takes pictures, asks the server about each, shows what it says.
// Text from files is only ever set as text, never as markup.
"use strict";

const AT_A_TIME = 2;
const TRIES = 20;
const SVG = "http://www.w3.org/2000/svg";
const find = (id) => document.getElementById(id);

const pictures = []; // {file, tile, stop, state, evidence?, problem?}
let limits = null;
let learning = false;
let token = null;
let current = null; // the picture that is shown
let awaited = null; // the one to show as soon as it is looked at
let running = 0;

// --- asking the server ------------------------------------------------------------------------

class Problem extends Error {
  constructor(detail, code, status) {
    super(detail);
    this.code = code;
    this.status = status;
  }
}

const pause = (seconds) => new Promise((done) => setTimeout(done, 1000 * seconds));

/** What headers carry are bytes: each as the character of its number. */
const bytesOf = (text) => String.fromCharCode(...new TextEncoder().encode(text));

async function ask(path, files = null, signal = null) {
  const request = { signal, headers: token ? { Authorization: `Bearer ${bytesOf(token)}` } : {} };
  if (files) {
    const form = new FormData();
    for (const file of files) form.append(files.length === 1 ? "file" : "files", file, file.name || "pasted picture");
    Object.assign(request, { method: "POST", body: form });
  }
  for (let tried = 1; ; tried += 1) {
    let response;
    try {
      response = await fetch(path, request);
    } catch {
      await readable(files ?? []);
      throw new Problem("The server cannot be reached. Is it still running?", "unreachable", 0);
    }
    if (response.ok) return response;
    if (response.status === 429 && tried < TRIES) {
      await pause(Number(response.headers.get("Retry-After") || 1) * (0.5 + Math.random()));
      continue;
    }
    const problem = await response.json().catch(() => ({}));
    throw new Problem(problem.detail || `The server answered ${response.status}.`, problem.code, response.status);
  }
}

/** Requests fail alike when the server is gone and when a file is. */
async function readable(files) {
  for (const file of files) {
    try {
      await file.slice(0, 1).arrayBuffer();
    } catch {
      throw new Problem(`${file.name} cannot be read: it is a folder, or was moved or changed. Choose it again.`, "not-a-file", 415);
    }
  }
}

async function learnLimits() {
  if (learning) return;
  learning = true;
  try {
    limits = await (await ask("v1/limits")).json();
    if (!find("token-form").hidden) say("");
    find("token-form").hidden = true;
  } catch (problem) {
    if (problem.status === 401) return askForToken();
    const waiting = pictures.filter((one) => one.state === "waiting");
    for (const picture of waiting) settle(picture, { problem });
    if (!waiting.length) say(problem.message);
  } finally {
    learning = false;
  }
  if (limits) work();
}

function askForToken() {
  find("token-form").hidden = false;
  if (token !== null) say("The token is wrong.");
  token = null;
  limits = null;
  find("token").focus();
}

// --- taking pictures --------------------------------------------------------------------------

function take(files) {
  for (const file of files) {
    const tile = find("tile").content.firstElementChild.cloneNode(true);
    const picture = { file, tile, stop: new AbortController(), state: "waiting" };
    tile.querySelector(".name").textContent = file.name;
    tile.querySelector("button").addEventListener("click", () => show(picture, true));
    find("tiles").append(tile);
    pictures.push(picture);
  }
  if (!files.length) return;
  awaited = pictures.at(-files.length);
  overview();
  work();
}

function again(picture) {
  Object.assign(picture, { state: "waiting", problem: null });
  awaited = picture;
  tileOf(picture);
  overview();
  work();
}

function work() {
  if (!limits) {
    if (find("token-form").hidden) learnLimits();
    return;
  }
  let picture;
  while (running < AT_A_TIME && (picture = pictures.find((one) => one.state === "waiting"))) examine(picture);
}

async function examine(picture) {
  running += 1;
  picture.state = "examining";
  tileOf(picture);
  let found;
  try {
    if (picture.file.size > limits.file_bytes) {
      const most = Math.floor(limits.file_bytes / 2 ** 20);
      throw new Problem(`${picture.file.name} is larger than ${most} MiB, the limit of this server.`, "too-many-bytes", 413);
    }
    found = { evidence: await (await ask("v1/evidence", [picture.file], picture.stop.signal)).json() };
  } catch (problem) {
    found = { problem };
  }
  running -= 1;
  if (found.problem?.status === 401) {
    picture.state = "waiting";
    tileOf(picture);
    return askForToken();
  }
  settle(picture, found);
  work();
}

/** A picture has its evidence, or the reason why there is none. */
function settle(picture, found) {
  if (!pictures.includes(picture)) return; // started over meanwhile
  const refused = [413, 415, 422].includes(found.problem?.status) && found.problem.code !== "too-slow";
  Object.assign(picture, found, { state: found.evidence?.row.verdict ?? (refused ? "unreadable" : "unanswered") });
  tileOf(picture);
  overview();
  if (picture === awaited) show(picture, false);
}

// --- the gallery ------------------------------------------------------------------------------

const WORDS = { unreadable: "not readable", unanswered: "no answer", waiting: "waiting", examining: "looking …" };
const done = () => pictures.filter((one) => !["waiting", "examining"].includes(one.state));

function tileOf(picture) {
  const badge = picture.tile.querySelector(".badge");
  const open = ["waiting", "examining"].includes(picture.state);
  badge.className = `badge ${open ? "pending" : picture.state}`;
  badge.textContent = WORDS[picture.state] || picture.state;
  const drawing = picture.evidence?.picture;
  if (drawing) picture.tile.querySelector("img").src = drawing.uri;
}

function overview() {
  const ready = done();
  find("gallery").hidden = !pictures.length;
  find("tiles").hidden = pictures.length < 2;
  find("gallery-title").textContent = pictures.length === 1 ? "1 picture" : `${pictures.length} pictures`;
  const counts = ["generated", "camera", "inconclusive", "unreadable", "unanswered"]
    .map((state) => [state, ready.filter((one) => one.state === state).length])
    .filter(([, count]) => count);
  find("counts").replaceChildren(
    ...counts.map(([state, count]) => element("li", {}, element("span", { class: `badge ${state}` }, `${count} ${WORDS[state] || state}`))),
  );
  for (const id of ["save-json", "save-report"]) find(id).disabled = ready.length < pictures.length;
  if (ready.length < pictures.length) say(`${ready.length} of ${pictures.length} looked at`);
  else if (pictures.length === 1) say(`${pictures[0].file.name}: ${WORDS[pictures[0].state] || pictures[0].state}`);
  else say(`All ${pictures.length} looked at: ${counts.map(([state, count]) => `${count} ${WORDS[state] || state}`).join(", ")}`);
}

function startOver() {
  for (const { stop } of pictures) stop.abort();
  pictures.length = 0;
  current = awaited = null;
  find("tiles").replaceChildren();
  find("gallery").hidden = find("shown").hidden = true;
  say("");
  find("files").focus();
}

// --- one picture ------------------------------------------------------------------------------

function show(picture, asked) {
  awaited = null;
  if (!picture.evidence && !picture.problem) {
    awaited = picture;
    return say(`${picture.file.name} is shown as soon as it is looked at`);
  }
  current = picture;
  for (const one of pictures) one.tile.querySelector("button").setAttribute("aria-current", String(one === picture));
  const article = find("shown");
  article.replaceChildren(find(picture.evidence ? "examined" : "unread").content.cloneNode(true));
  if (picture.evidence) fill(article, picture.evidence);
  else excuse(article, picture);
  find("shown-name").textContent = picture.file.name;
  article.hidden = false;
  if (asked) {
    article.focus({ preventScroll: true });
    article.scrollIntoView({ block: "start" });
  }
}

function excuse(article, picture) {
  const word = WORDS[picture.state];
  find("shown-verdict").textContent = word.charAt(0).toUpperCase() + word.slice(1);
  find("shown-verdict").classList.add(picture.state);
  article.querySelector("[data-fill=detail]").textContent = picture.problem.message;
  if (picture.state === "unreadable") article.querySelector("[data-part=again]").remove();
  else article.querySelector("[data-part=again] button").addEventListener("click", () => again(picture));
}

function fill(article, evidence) {
  const at = (name) => article.querySelector(`[data-fill=${name}]`);
  const keep = (name, kept) => {
    if (!kept) for (const part of article.querySelectorAll(`[data-part=${name}]`)) part.remove();
    return Boolean(kept);
  };
  at("title").textContent = evidence.title;
  at("title").classList.add(evidence.row.verdict);
  at("meaning").textContent = evidence.meaning;
  list(at("reasons"), evidence.reasons.map(reason));
  if (keep("score", evidence.score)) {
    const score = evidence.score;
    at("scale").append(scale(score));
    at("likelihood").textContent = (score.relied_on ? "" : "What the score alone would say, which is not relied on here: ") + score.likelihood;
    at("probability").textContent = score.probability;
    at("model").textContent = evidence.row.model;
    at("basis").textContent = score.basis;
  }
  if (keep("branches", evidence.branches.length)) at("branches").append(...branches(evidence.branches));
  if (keep("resemblance", evidence.resemblance)) at("resemblance").textContent = evidence.resemblance;
  layers(article, evidence, keep("heatmap", evidence.heatmap));
  if (keep("spectrum", evidence.spectrum)) {
    article.querySelector(".spectrum").append(...spectrum(evidence));
    if (keep("peaks", evidence.peaks.length)) at("peaks").append(...evidence.peaks.map(peakRow));
    if (keep("upsampling", evidence.upsampling)) at("upsampling").textContent = evidence.upsampling;
    keep("no-peaks", !evidence.peaks.length);
  }
  at("facts").append(...evidence.facts.map(row));
  at("claims").append(...evidence.claims.map(row));
  list(at("notes"), evidence.notes.map((note) => element("li", {}, note)));
}

function list(node, items) {
  if (items.length) node.append(...items);
  else node.remove();
}

function reason({ code, sentence, meaning }) {
  const first = sentence.charAt(0).toUpperCase() + sentence.slice(1);
  return element("li", {}, element("strong", {}, `${first}.`), ` ${meaning} `, element("span", { class: "soft small" }, code && `(${code})`));
}

function row({ name, value, meaning }) {
  return element("tr", {}, element("th", { scope: "row" }, name), element("td", {}, value, element("span", { class: "soft" }, meaning && ` (${meaning})`)));
}

function peakRow(peak, index) {
  return element("tr", {},
    element("td", { class: "number" }, index + 1), element("td", {}, peak.explained_by),
    element("td", {}, peak.period), element("td", { class: "number" }, peak.strength));
}

function branches(found) {
  return found.map(({ name, title, text, verdict, start, width }) => {
    const bar = drawing("svg", { class: "bar", "aria-hidden": "true" },
      drawing("rect", { class: verdict, x: `${start}%`, y: "15%", width: `${width}%`, height: "70%" }),
      drawing("line", { x1: "50%", x2: "50%", y1: 0, y2: "100%" }));
    const head = element("th", { scope: "row" }, title, element("span", { class: "identifier" }, name === title ? "" : name));
    return element("tr", {}, head, element("td", { class: "drawn" }, bar), element("td", { class: "number" }, text));
  });
}

function layers(article, evidence, scored) {
  const [under, over] = article.querySelectorAll(".layers img");
  Object.assign(under, { src: evidence.picture.uri, width: evidence.picture.width, height: evidence.picture.height });
  article.querySelector(".layers").classList.toggle("tiny", evidence.picture.width < 256);
  if (!scored) return over.remove();
  over.src = evidence.heatmap.uri;
  const slider = find("opacity");
  const follow = () => {
    over.style.opacity = slider.value / 100;
    find("opacity-text").textContent = `${slider.value} %`;
    slider.setAttribute("aria-valuetext", `${slider.value} %`);
  };
  slider.addEventListener("input", follow);
  follow();
}

function spectrum({ spectrum: shown, peaks }) {
  const marked = peaks.length ? `, with ${peaks.length} marked peak${peaks.length === 1 ? "" : "s"}` : "";
  const image = element("img", { src: shown.uri, width: shown.width, height: shown.height, alt: `Log power spectrum, zero frequency in the middle${marked}` });
  const marks = drawing("svg", { "aria-hidden": "true" });
  peaks.forEach(({ x, y }, index) => {
    const right = x > 0.85;
    const place = { x: `${100 * x}%`, y: `${100 * y}%`, dx: right ? -12 : 12, dy: 4, "text-anchor": right ? "end" : "start" };
    marks.append(drawing("circle", { cx: `${100 * x}%`, cy: `${100 * y}%`, r: 8 }), drawing("text", place, String(index + 1)));
  });
  return [image, marks];
}

function scale({ text, camera, generated, scale: line }) {
  const words = `Score ${text}. Camera at or below ${camera}, generated at or above ${generated}.`;
  const whole = drawing("svg", { class: "scale", role: "img", "aria-label": words },
    drawing("text", { class: "value", x: `${line.mark}%`, y: 16, "text-anchor": line.anchor }, `score ${text}`),
    drawing("svg", { x: `${line.mark}%`, y: 22, overflow: "visible" }, drawing("path", { class: "mark", d: "M-7 0H7L0 10Z" })));
  for (const zone of line.zones) {
    whole.append(drawing("rect", { class: `zone-${zone.verdict}`, x: `${zone.start}%`, y: 34, width: `${zone.width}%`, height: 26 }));
    if (zone.named) {
      const middle = { class: `name-${zone.verdict}`, x: `${zone.start + zone.width / 2}%`, y: 52, "text-anchor": "middle" };
      whole.append(drawing("text", middle, zone.verdict));
    }
  }
  for (const place of [line.camera, line.generated]) whole.append(drawing("line", { x1: `${place}%`, x2: `${place}%`, y1: 34, y2: 66 }));
  whole.append(
    drawing("text", { x: `${line.camera}%`, y: 82, dx: -2, "text-anchor": "end" }, `≤ ${camera}`),
    drawing("text", { x: `${line.generated}%`, y: 82, dx: 2, "text-anchor": "start" }, `≥ ${generated}`));
  return whole;
}

// --- downloads --------------------------------------------------------------------------------

function save(name, blob) {
  const link = element("a", { href: URL.createObjectURL(blob), download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}

/** The row of a picture that has none: that of `spectrace detect` for a file that it cannot read. */
function errorRow({ file, problem }) {
  const model = pictures.find((one) => one.evidence)?.evidence.row.model ?? null;
  return {
    schema_version: 1, path: file.name, sha256: null, width: null, height: null, format: null, score: null, probability: null,
    verdict: null, reasons: [], model, tiles: 0, branches: {}, family: null, family_probability: null, provenance: null,
    error: problem.message,
  };
}

function saveJson() {
  const rows = pictures.map((one) => one.evidence?.row ?? errorRow(one));
  save("spectrace.json", new Blob([JSON.stringify(rows, null, 2)], { type: "application/json" }));
}

/** Pictures in groups that the server takes at a time; those too large for it are left out. */
function groups() {
  const found = [];
  let bytes = Infinity;
  for (const { file } of pictures) {
    if (file.size > limits.file_bytes) continue;
    const size = file.size + 1000; // the form's own words
    if (bytes + size > limits.request_bytes || found.at(-1).length === limits.files) {
      found.push([]);
      bytes = 0;
    }
    found.at(-1).push(file);
    bytes += size;
  }
  return found;
}

async function saveReport() {
  const parts = groups();
  const left = pictures.length - parts.flat().length;
  const without = left ? ` without ${left} too large for this server` : "";
  if (!parts.length) return say(`There is no report${without}`);
  find("save-report").disabled = true;
  try {
    for (const [index, files] of parts.entries()) {
      say(parts.length === 1 ? "Making the report …" : `Making report ${index + 1} of ${parts.length} …`);
      const page = await (await ask("v1/report", files)).blob();
      save(parts.length === 1 ? "spectrace-report.html" : `spectrace-report-${index + 1}.html`, page);
    }
    say((parts.length > 1 ? `${parts.length} reports made, ${limits.files} pictures each at most` : "The report is made") + without);
  } catch (problem) {
    say(problem.message);
  } finally {
    find("save-report").disabled = false;
  }
}

// --- small things -----------------------------------------------------------------------------

function dressed(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  node.append(...children);
  return node;
}

function element(tag, attributes, ...children) {
  return dressed(document.createElement(tag), attributes, children);
}

function drawing(tag, attributes, ...children) {
  return dressed(document.createElementNS(SVG, tag), attributes, children);
}

function say(words) {
  find("status").textContent = words;
}

// --- what people do ---------------------------------------------------------------------------

find("server").textContent = location.host;
find("files").addEventListener("change", (event) => {
  take([...event.target.files]);
  event.target.value = "";
});
for (const [name, over] of [["dragover", true], ["dragleave", false], ["drop", false]]) {
  window.addEventListener(name, (event) => {
    event.preventDefault();
    find("drop").classList.toggle("over", over);
  });
}
window.addEventListener("drop", (event) => {
  if (!event.dataTransfer.files.length) say("No picture file was dropped. Save the picture first: addresses are not fetched.");
  take([...event.dataTransfer.files]);
});
window.addEventListener("paste", (event) => take([...event.clipboardData.files]));
find("token-form").addEventListener("submit", (event) => {
  event.preventDefault();
  token = find("token").value;
  find("token").value = "";
  learnLimits();
});
find("save-json").addEventListener("click", saveJson);
find("save-report").addEventListener("click", saveReport);
find("clear").addEventListener("click", startOver);
learnLimits();
