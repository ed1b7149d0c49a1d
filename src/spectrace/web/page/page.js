// The page of `spectrace serve`: takes pictures, asks the server about each, shows what it says.
// Text from files is only ever set as text, never as markup.
"use strict";

const AT_A_TIME = 2;
const TRIES = 20;
const SVG = "http://www.w3.org/2000/svg";
const find = (id) => document.getElementById(id);

const pictures = []; // {file, state, evidence?, problem?, tile}
let limits = null;
let token = null;
let current = null;
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

async function ask(path, files = null) {
  const request = { headers: token ? { Authorization: `Bearer ${token}` } : {} };
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

async function learnLimits() {
  try {
    limits = await (await ask("v1/limits")).json();
    find("token-form").hidden = true;
    work();
  } catch (problem) {
    if (problem.status === 401) return askForToken();
    say(problem.message);
  }
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
    const picture = { file, tile, state: "waiting" };
    tile.querySelector(".name").textContent = file.name;
    tile.querySelector("button").addEventListener("click", () => show(picture, true));
    find("tiles").append(tile);
    pictures.push(picture);
  }
  if (files.length) overview();
  work();
}

function work() {
  if (!limits) return;
  let picture;
  while (running < AT_A_TIME && (picture = pictures.find((one) => one.state === "waiting"))) examine(picture);
}

async function examine(picture) {
  running += 1;
  picture.state = "examining";
  tileOf(picture);
  try {
    if (picture.file.size > limits.file_bytes) {
      const most = Math.floor(limits.file_bytes / 2 ** 20);
      throw new Problem(`${picture.file.name} is larger than ${most} MiB, the limit of this server.`, "too-many-bytes", 413);
    }
    picture.evidence = await (await ask("v1/evidence", [picture.file])).json();
    picture.state = picture.evidence.row.verdict;
  } catch (problem) {
    if (problem.status === 401) {
      picture.state = "waiting";
      askForToken();
      return;
    }
    picture.problem = problem;
    picture.state = "unreadable";
  } finally {
    running -= 1;
  }
  if (!pictures.includes(picture)) return work(); // started over meanwhile
  tileOf(picture);
  overview();
  if (!current && picture === pictures[0]) show(picture, false);
  work();
}

// --- the gallery ------------------------------------------------------------------------------

const WORDS = { unreadable: "not readable", waiting: "waiting", examining: "looking …" };
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
  const counts = ["generated", "camera", "inconclusive", "unreadable"]
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
  pictures.length = 0;
  current = null;
  find("tiles").replaceChildren();
  find("gallery").hidden = find("shown").hidden = true;
  say("");
  find("files").focus();
}

// --- one picture ------------------------------------------------------------------------------

function show(picture, asked) {
  if (!picture.evidence && !picture.problem) return say(`${picture.file.name} was not looked at yet`);
  current = picture;
  for (const one of pictures) one.tile.querySelector("button").setAttribute("aria-current", String(one === picture));
  const article = find("shown");
  article.replaceChildren(find(picture.evidence ? "examined" : "unread").content.cloneNode(true));
  if (picture.evidence) fill(article, picture.evidence);
  else article.querySelector("[data-fill=detail]").textContent = picture.problem.message;
  find("shown-name").textContent = picture.file.name;
  article.hidden = false;
  if (asked) {
    article.focus({ preventScroll: true });
    article.scrollIntoView({ block: "start" });
  }
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
  at("reasons").append(...evidence.reasons.map(reason));
  if (keep("score", evidence.score)) {
    const score = evidence.score;
    at("scale").append(scale(score));
    at("likelihood").textContent = (score.relied_on ? "" : "What the score alone would say, which is not relied on here: ") + score.likelihood;
    at("probability").textContent = score.probability;
    at("basis").textContent = score.basis;
  }
  if (keep("branches", evidence.branches.length)) at("branches").append(...branches(evidence.branches));
  if (keep("family", evidence.family)) {
    at("family").textContent = evidence.family.name;
    at("family-probability").textContent = evidence.family.probability;
  }
  layers(article, evidence, keep("heatmap", evidence.heatmap));
  if (keep("spectrum", evidence.spectrum)) {
    article.querySelector(".spectrum").append(...spectrum(evidence));
    if (keep("peaks", evidence.peaks.length)) at("peaks").append(...evidence.peaks.map(peakRow));
    if (keep("upsampling", evidence.upsampling)) at("upsampling").textContent = evidence.upsampling;
    keep("no-peaks", !evidence.peaks.length);
  }
  at("facts").append(...evidence.facts.map(row));
  at("claims").append(...evidence.claims.map(row));
  at("notes").append(...evidence.notes.map((note) => element("li", {}, note)));
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
  const longest = Math.max(...found.map(({ value }) => Math.abs(value)), 1e-6);
  return found.map(({ name, value, text }) => {
    const width = (50 * Math.abs(value)) / longest;
    const bar = drawing("svg", { class: "bar", "aria-hidden": "true" },
      drawing("rect", { class: value < 0 ? "camera" : "generated", x: `${value < 0 ? 50 - width : 50}%`, y: 1, width: `${width}%`, height: 12 }),
      drawing("line", { x1: "50%", x2: "50%", y1: 0, y2: 14 }));
    return element("tr", {}, element("th", { scope: "row" }, name), element("td", {}, bar), element("td", { class: "number" }, text));
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

function saveJson() {
  const rows = pictures.map((one) => one.evidence?.row ?? { path: one.file.name, verdict: null, error: one.problem.message });
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
  find("save-report").disabled = true;
  try {
    for (const [index, files] of parts.entries()) {
      say(parts.length === 1 ? "Making the report …" : `Making report ${index + 1} of ${parts.length} …`);
      const page = await (await ask("v1/report", files)).blob();
      save(parts.length === 1 ? "spectrace-report.html" : `spectrace-report-${index + 1}.html`, page);
    }
    say(parts.length > 1 ? `${parts.length} reports made, ${limits.files} pictures each at most` : "The report is made");
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
window.addEventListener("drop", (event) => take([...event.dataTransfer.files]));
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
