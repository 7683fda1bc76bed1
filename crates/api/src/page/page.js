"use strict";

// The page keeps what is asked in its address, under the names that Prometheus gives it, so that links to either work.

const byId = (id) => document.getElementById(id);
const MAX_ROWS = 10000;
const MAX_LINES = 200;
const REFRESH_MS = 15000;

/** An element with properties and children; texts are texts, never markup. */
function element(tag, properties = {}, ...children) {
  const made = Object.assign(document.createElement(tag), properties);
  made.append(...children);
  return made;
}

function svg(tag, attributes, ...children) {
  const made = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...children);
  return made;
}

async function ask(path, parameters, signal) {
  const response = await fetch(`api/v1/${path}`, { method: parameters ? "POST" : "GET", body: parameters, signal });
  const text = await response.text();
  let answer;
  try {
    answer = JSON.parse(text);
  } catch {
    throw new Error(text.trim() || `the server answered ${response.status}`);
  }
  if (answer.status !== "success") throw new Error(`${answer.errorType}: ${answer.error}`);
  return answer;
}

// Expressions

const form = byId("form");
let running = new AbortController();

function view() {
  return form.elements.view.value;
}

/** Seconds in a duration such as 1h30m. */
function seconds(text) {
  const units = { ms: 0.001, s: 1, m: 60, h: 3600, d: 86400, w: 604800, y: 31536000 };
  const parts = [...text.trim().matchAll(/(\d+)(ms|[smhdwy])/g)];
  if (!parts.length || parts.map((part) => part[0]).join("") !== text.trim()) {
    throw new Error(`"${text}" is no duration such as 1h or 30m`);
  }
  return parts.reduce((sum, [, number, unit]) => sum + number * units[unit], 0);
}

function duration(total) {
  const units = [["w", 604800], ["d", 86400], ["h", 3600], ["m", 60], ["s", 1]];
  let text = "";
  for (const [unit, size] of units) {
    const count = Math.floor(total / size);
    total -= count * size;
    if (count) text += count + unit;
  }
  return text || "1s";
}

function endTime() {
  const chosen = byId("end").value;
  return chosen ? new Date(chosen).getTime() / 1000 : Date.now() / 1000;
}

async function run() {
  running.abort();
  running = new AbortController();
  remember();
  if (!byId("expr").value.trim()) return show([], "");
  const started = performance.now();
  byId("took").textContent = "…";
  try {
    const { answer, times } = await evaluate(running.signal);
    const remarks = [...(answer.warnings ?? []), ...(answer.infos ?? [])].map((text) => element("li", {}, text));
    const result = times ? graph(answer.data.result, times) : table(answer.data);
    show(remarks, result, `${Math.round(performance.now() - started)} ms`);
  } catch (error) {
    if (error.name !== "AbortError") show([element("li", { className: "error" }, error.message)], "");
  }
}

async function evaluate(signal) {
  const end = endTime();
  const parameters = new URLSearchParams({ query: byId("expr").value });
  if (view() === "table") {
    parameters.set("time", end);
    parameters.set("limit", MAX_ROWS);
    return { answer: await ask("query", parameters, signal) };
  }
  const range = seconds(byId("range").value);
  const step = Math.max(range / 400, 0.001);
  const times = { start: end - range, end, step };
  for (const [name, value] of Object.entries(times)) parameters.set(name, value);
  return { answer: await ask("query_range", parameters, signal), times };
}

function show(remarks, result, took = "") {
  byId("remarks").replaceChildren(...remarks);
  byId("result").replaceChildren(result);
  byId("took").textContent = took;
}

/** A series as PromQL writes it. */
function seriesName(metric) {
  const { __name__: name = "", ...labels } = metric;
  const pairs = Object.entries(labels).map(([label, value]) => `${label}=${JSON.stringify(value)}`);
  return [element("span", { className: "name" }, name), pairs.length || !name ? `{${pairs.join(", ")}}` : ""];
}

function histogramText({ count, sum, buckets = [] }) {
  const brackets = [["(", "]"], ["[", ")"], ["(", ")"], ["[", "]"]];
  const lines = buckets.map(([rule, low, high, n]) => `${brackets[rule][0]}${low}, ${high}${brackets[rule][1]} ${n}`);
  return [`count ${count}, sum ${sum}`, ...lines].join("\n");
}

function table({ resultType, result }) {
  if (resultType === "scalar" || resultType === "string") return element("p", { className: "name" }, result[1]);
  if (!result.length) return element("p", { className: "empty" }, "No series.");
  const at = ([time, value]) => `${value} @${time}`;
  const text = ({ value, histogram, values = [], histograms = [] }) => {
    if (value) return value[1];
    if (histogram) return histogramText(histogram[1]);
    return [...values.map(at), ...histograms.map(([time, one]) => at([time, histogramText(one)]))].join("\n");
  };
  const rows = result.map((series) =>
    element("tr", {}, element("td", { className: "series" }, ...seriesName(series.metric)),
      element("td", { className: "value" }, text(series))));
  return element("table", {}, element("tbody", {}, ...rows));
}

// Graphs

const LEFT = 64;
const BOTTOM = 20;
const HEIGHT = 352;

function colour(number) {
  return `light-dark(hsl(${(number * 137.5 + 15) % 360} 65% 40%), hsl(${(number * 137.5 + 15) % 360} 65% 68%))`;
}

/** Round numbers from low to high, about as many as wanted. */
function ticks(low, high, wanted, steps = [1, 2, 5, 10]) {
  const rough = (high - low) / wanted || 1;
  const power = steps[0] === 1 ? 10 ** Math.floor(Math.log10(rough)) : 1;
  const step = (steps.find((one) => one * power >= rough) ?? steps.at(-1)) * power;
  const found = [];
  for (let at = Math.ceil(low / step) * step; at <= high; at += step) found.push(at);
  return found;
}

const TIME_STEPS = [1, 5, 15, 30, 60, 300, 900, 1800, 3600, 10800, 21600, 43200, 86400, 604800, 2592000, 31536000];

function timeText(time, range) {
  const date = new Date(time * 1000);
  if (range > 4 * 86400) return date.toLocaleDateString(undefined, { month: "short", day: "numeric" });
  const parts = { hour: "2-digit", minute: "2-digit" };
  if (range < 600) parts.second = "2-digit";
  return date.toLocaleTimeString(undefined, parts);
}

function valueText(value) {
  return Math.abs(value) >= 1e5 || (value && Math.abs(value) < 1e-3) ? value.toExponential(2) : String(+value.toFixed(4));
}

function graph(result, times) {
  if (!result.length) return element("p", { className: "empty" }, "No series.");
  const lines = result.slice(0, MAX_LINES).map((series, number) => ({
    metric: series.metric,
    colour: colour(number),
    shown: true,
    // Of histograms the graph shows how fast observations come in or how many there are: their counts.
    points: [...(series.values ?? []), ...(series.histograms ?? []).map(([time, one]) => [time, one.count])]
      .map(([time, value]) => [time, Number(value === "+Inf" || value === "-Inf" ? NaN : value)]),
  }));
  const plot = element("div", { className: "plot" });
  const draw = () => plot.replaceChildren(drawing(plot, lines.filter((line) => line.shown), times));
  const legend = element("div", { className: "legend" }, ...lines.map((line) => {
    const mark = element("i");
    mark.style.background = line.colour;
    const button = element("button", { type: "button", ariaPressed: "true", title: "Show or hide" }, mark,
      element("span", {}, ...seriesName(line.metric)));
    button.onclick = () => {
      line.shown = !line.shown;
      button.ariaPressed = String(line.shown);
      draw();
    };
    return button;
  }));
  if (result.length > MAX_LINES) legend.append(`${result.length - MAX_LINES} more series are not drawn.`);
  new ResizeObserver(draw).observe(plot);
  return element("div", {}, plot, legend);
}

function drawing(plot, lines, { start, end, step }) {
  const width = Math.max(plot.clientWidth, 200);
  const values = lines.flatMap((line) => line.points.map(([, value]) => value)).filter(Number.isFinite);
  let low = values.reduce((a, b) => Math.min(a, b), Infinity);
  let high = values.reduce((a, b) => Math.max(a, b), -Infinity);
  if (!values.length) [low, high] = [0, 1];
  if (low === high) [low, high] = [low - (Math.abs(low) || 1) / 2, high + (Math.abs(high) || 1) / 2];
  const x = (time) => LEFT + ((time - start) / (end - start)) * (width - LEFT - 4);
  const y = (value) => HEIGHT - BOTTOM - ((value - low) / (high - low)) * (HEIGHT - BOTTOM - 8);
  const time = (at) => start + ((at - LEFT) / (width - LEFT - 4)) * (end - start);
  const picture = svg("svg", { viewBox: `0 0 ${width} ${HEIGHT}`, role: "img", "aria-label": "Graph of the result" });
  for (const value of ticks(low, high, 6)) {
    picture.append(svg("path", { class: "grid", d: `M${LEFT} ${y(value)}H${width - 4}` }),
      svg("text", { x: LEFT - 6, y: y(value) + 4, "text-anchor": "end" }, valueText(value)));
  }
  for (const at of ticks(start, end, width / 110, TIME_STEPS)) {
    picture.append(svg("path", { class: "grid", d: `M${x(at)} ${HEIGHT - BOTTOM}v4` }),
      svg("text", { x: x(at), y: HEIGHT - 4, "text-anchor": "middle" }, timeText(at, end - start)));
  }
  for (const line of lines) picture.append(svg("path", { d: path(line.points, x, y, step), style: `stroke:${line.colour}` }));
  pointing(plot, picture, lines, { x, y, time, step, width });
  return picture;
}

/** A line through the points; a gap where a step has none. */
function path(points, x, y, step) {
  let d = "";
  let last = -Infinity;
  for (const [time, value] of points) {
    if (!Number.isFinite(value)) continue;
    const joined = time - last < step * 1.5;
    d += `${joined ? "L" : "M"}${x(time).toFixed(1)} ${y(value).toFixed(1)}${joined ? "" : "h.1"}`;
    last = time;
  }
  return d;
}

/** Shows the value under the pointer; dragging chooses the range. */
function pointing(plot, picture, lines, { x, y, time, step, width }) {
  const tip = element("div", { className: "tip", hidden: true });
  const dot = svg("circle", { r: 4, visibility: "hidden" });
  const selection = svg("rect", { class: "selection", y: 0, height: HEIGHT - BOTTOM, width: 0 });
  picture.append(selection, dot);
  let from = null;
  const position = (event) => {
    const box = picture.getBoundingClientRect();
    return [Math.min(Math.max(event.clientX - box.left, LEFT), width - 4), event.clientY - box.top];
  };
  picture.onpointerdown = (event) => {
    from = position(event)[0];
    picture.setPointerCapture(event.pointerId);
  };
  picture.onpointermove = (event) => {
    const [at, height] = position(event);
    if (from !== null) {
      selection.setAttribute("x", Math.min(from, at));
      selection.setAttribute("width", Math.abs(at - from));
    }
    const near = nearest(lines, time(at), step, (value) => Math.abs(y(value) - height));
    tip.hidden = !near;
    dot.setAttribute("visibility", near ? "visible" : "hidden");
    if (!near) return;
    const [line, [when, value]] = near;
    dot.setAttribute("cx", x(when));
    dot.setAttribute("cy", y(value));
    dot.style.fill = line.colour;
    tip.replaceChildren(element("div", {}, `${value} at ${new Date(when * 1000).toLocaleString()}`), ...seriesName(line.metric));
    tip.style.top = "8px";
    tip.style.left = x(when) > width / 2 ? `${LEFT + 8}px` : "auto";
    tip.style.right = x(when) > width / 2 ? "auto" : "8px";
    if (!tip.isConnected) plot.append(tip);
  };
  picture.onpointerleave = () => {
    tip.hidden = true;
    dot.setAttribute("visibility", "hidden");
  };
  picture.onpointerup = (event) => {
    const at = position(event)[0];
    const [low, high] = [time(Math.min(from, at)), time(Math.max(from, at))];
    const isRange = from !== null && Math.abs(at - from) > 8;
    from = null;
    if (isRange) zoom(low, high);
  };
}

function nearest(lines, when, step, distance) {
  let best = null;
  for (const line of lines) {
    for (const point of line.points) {
      if (Math.abs(point[0] - when) > step || !Number.isFinite(point[1])) continue;
      const away = distance(point[1]);
      if (!best || away < best.away) best = { away, found: [line, point] };
    }
  }
  return best?.found;
}

function zoom(low, high) {
  byId("range").value = duration(Math.max(1, Math.round(high - low)));
  setEnd(high);
  run();
}

function setEnd(time) {
  const local = new Date(time * 1000 - new Date(time * 1000).getTimezoneOffset() * 60000);
  byId("end").value = local.toISOString().slice(0, 19);
}

// The address

function remember() {
  const state = new URLSearchParams({ "g0.expr": byId("expr").value, "g0.tab": view() === "table" ? 1 : 0 });
  if (view() === "graph") state.set("g0.range_input", byId("range").value);
  if (byId("end").value) state.set("g0.end_input", new Date(byId("end").value).toISOString());
  const address = `?${state}`;
  if (address !== location.search) history.pushState(null, "", address);
}

function recall() {
  const state = new URLSearchParams(location.search);
  byId("expr").value = state.get("g0.expr") ?? "";
  form.elements.view.value = ["0", "graph"].includes(state.get("g0.tab")) ? "graph" : "table";
  byId("range").value = state.get("g0.range_input") ?? "1h";
  const end = Date.parse(state.get("g0.end_input") ?? "");
  if (end) setEnd(end / 1000);
  else byId("end").value = "";
}

form.onsubmit = (event) => {
  event.preventDefault();
  run();
};
form.onchange = (event) => {
  if (event.target.id !== "expr") run();
};
byId("expr").onkeydown = (event) => {
  if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
    event.preventDefault();
    run();
  }
};
byId("format").onclick = async () => {
  try {
    const answer = await ask("format_query", new URLSearchParams({ query: byId("expr").value }));
    byId("expr").value = answer.data;
  } catch (error) {
    show([element("li", { className: "error" }, error.message)], "");
  }
};
document.onkeydown = (event) => {
  if (event.key === "/" && !event.target.matches("input, textarea")) {
    event.preventDefault();
    byId("expr").focus();
  }
};
window.onpopstate = () => {
  recall();
  run();
};

// Targets

let targets = [];

async function loadTargets() {
  if (document.hidden) return;
  try {
    targets = (await ask("targets?state=active")).data.activeTargets;
    showTargets();
  } catch (error) {
    byId("target-list").replaceChildren(element("p", { className: "down" }, error.message));
  }
}

function showTargets() {
  const words = byId("target-filter").value.toLowerCase().split(/\s+/).filter(Boolean);
  const wanted = targets.filter((target) => {
    const text = JSON.stringify([target.scrapePool, target.labels, target.scrapeUrl, target.lastError]).toLowerCase();
    return words.every((word) => text.includes(word)) && (!byId("only-down").checked || target.health === "down");
  });
  const up = targets.filter((target) => target.health === "up").length;
  byId("target-counts").textContent = `${up} of ${targets.length} up`;
  const heads = ["Pool", "Target", "Labels", "State", "Last scrape", "Error"].map((head) => element("th", { scope: "col" }, head));
  byId("target-list").replaceChildren(wanted.length
    ? element("table", {}, element("thead", {}, element("tr", {}, ...heads)), element("tbody", {}, ...wanted.slice(0, MAX_ROWS).map(targetRow)))
    : element("p", { className: "empty" }, "No targets."));
}

function targetRow(target) {
  const { job: _, ...labels } = target.labels;
  const age = Date.now() - Date.parse(target.lastScrape);
  const scraped = target.health === "unknown" ? "never"
    : `${duration(Math.max(0, Math.round(age / 1000)))} ago, took ${Math.round(target.lastScrapeDuration * 1000)} ms`;
  const cells = [target.scrapePool, element("a", { href: target.globalUrl }, target.scrapeUrl),
    element("span", {}, ...seriesName(labels)), element("span", { className: target.health }, target.health), scraped,
    element("span", { className: "down" }, target.lastError)];
  return element("tr", {}, ...cells.map((cell) => element("td", {}, cell)));
}

byId("target-filter").oninput = showTargets;
byId("only-down").onchange = showTargets;
document.addEventListener("visibilitychange", loadTargets);
setInterval(loadTargets, REFRESH_MS);

recall();
loadTargets();
if (byId("expr").value) run();
