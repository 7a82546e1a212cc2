"use strict";
// The voxels of every run, and the cortex that turns (WebGL).

const SIDES = ["left", "right"];

const data = read("run-data");
for (const run of data ? data.runs : []) {
  run.voxel = unpack(run.voxel, Int32Array);
  for (const key in run.values) run.values[key] = unpack(run.values[key], Float32Array);
  if (run.values.frozen && run.values.tuned)
    run.values.difference = run.values.tuned.map((tuned, i) => tuned - run.values.frozen[i]);
  for (const kind of ["targets", "groups"])
    for (const key in run[kind]) run[kind][key] = unpack(run[kind][key], Uint8Array);
  if (run.label_of) run.label_of = unpack(run.label_of, Uint16Array);
  for (const side of run.places ? SIDES : []) {
    const place = run.places[side];
    run.places[side] = { start: unpack(place.start, Uint32Array), row: unpack(place.row, Uint32Array) };
  }
}

const describe = (run, row) => {
  const names = Object.keys(run.targets).filter((name) => run.targets[name][row]);
  const value = (key, digits, sign) => (run.values[key] ? shown(run.values[key][row], digits, sign) : "–");
  const parts = [`voxel ${run.voxel[row]}`];
  if (names.length) parts.push(names.join(", "));
  if (run.label_of && run.labels[run.label_of[row]]) parts.push(run.labels[run.label_of[row]]);
  if (run.values.tuned) parts.push(`frozen ${value("frozen")}, tuned ${value("tuned")}, difference ${value("difference", 3, true)}`);
  else parts.push(`frozen ${value("frozen")}, q ${value("q_frozen")}`);
  if (run.values.shared_frozen)
    parts.push(`shared map ${value("shared_frozen")}` + (run.values.shared_tuned ? ` to ${value("shared_tuned")}` : ""));
  if (run.values.normalised_tuned)
    parts.push(`share of ceiling ${value("normalised_frozen", 2)} to ${value("normalised_tuned", 2)}`);
  if (run.values.q_tuned) parts.push(`q tuned ${value("q_tuned")}, q change ${value("q_difference")}`);
  return parts;
};

// ---------------------------------------------------------------- cortex

const VERTEX = `#version 300 es
in vec3 point; in vec3 normal; in vec2 value; in float inside; in float deep;
uniform vec3 origin, grain, centre, right, up, toward; uniform vec2 scale;
out vec2 v_value; out float v_inside, v_deep; out vec3 v_normal;
void main() {
  vec3 p = origin + grain * point - centre;
  gl_Position = vec4(dot(p, right) * scale.x, dot(p, up) * scale.y, -dot(p, toward) / 500.0, 1.0);
  v_value = value; v_inside = inside; v_deep = deep; v_normal = normal;
}`;
const FRAGMENT = `#version 300 es
precision highp float;
in vec2 v_value; in float v_inside, v_deep; in vec3 v_normal;
uniform vec3 toward; uniform float lowest, highest, threshold; uniform sampler2D colours;
out vec4 colour;
void main() {
  // v_value: value times known, and known: 1 at vertices with a voxel, so that bare cortex adds nothing.
  float value = v_value.x / max(v_value.y, 1e-6);
  vec3 c = vec3(mix(0.82, 0.64, v_deep));
  if (v_value.y > 0.5 && abs(value) >= threshold)
    c = texture(colours, vec2(clamp((value - lowest) / (highest - lowest), 0.002, 0.998), 0.5)).rgb;
  float light = 0.58 + 0.42 * abs(dot(normalize(v_normal), toward));
  c *= light;
  float width = fwidth(v_inside), off = abs(v_inside - 0.5);
  if (width > 0.0 && off < 2.0 * width) c = off < width ? vec3(1.0) : vec3(0.05);
  colour = vec4(c, 1.0);
}`;
const VIEWS = {
  lateral: [180, 0], medial: [0, 0], dorsal: [-90, 90], ventral: [-90, -90], anterior: [90, 0], posterior: [-90, 0],
};
const LEVEL = 0.05;

// One mesh, decoded when it is first shown.
const meshes = {};
function meshOf(name) {
  if (meshes[name]) return meshes[name];
  const sent = data.meshes[name], mesh = { kinds: sent.kinds };
  for (const side of SIDES) {
    const half = sent[side], triangles = {};
    for (const key in half.triangles) triangles[key] = unpack(half.triangles[key], Uint32Array);
    mesh[side] = { n: half.n, deep: unpack(half.sulcal, Uint8Array), shapes: {} };
    for (const [kind, shape] of Object.entries(half.shapes)) {
      const points = unpack(shape.points, Uint16Array);
      mesh[side].shapes[kind] = {
        ...shape, points, faces: triangles[shape.triangles], lowest: shape.low,
        centre: shape.low.map((low, axis) => low + (shape.step[axis] * 65535) / 2),
      };
    }
  }
  return (meshes[name] = mesh);
}

// Normals of the vertices: sums of the products of the triangles' edges.
function normalsOf(shape) {
  if (shape.normals) return shape.normals;
  const { points: p, faces: f, step: s } = shape, sums = new Float32Array(p.length), out = new Int8Array((p.length / 3) * 4);
  for (let i = 0; i < f.length; i += 3) {
    const a = 3 * f[i], b = 3 * f[i + 1], c = 3 * f[i + 2];
    const ux = (p[b] - p[a]) * s[0], uy = (p[b + 1] - p[a + 1]) * s[1], uz = (p[b + 2] - p[a + 2]) * s[2];
    const vx = (p[c] - p[a]) * s[0], vy = (p[c + 1] - p[a + 1]) * s[1], vz = (p[c + 2] - p[a + 2]) * s[2];
    const nx = uy * vz - uz * vy, ny = uz * vx - ux * vz, nz = ux * vy - uy * vx;
    for (const k of [a, b, c]) { sums[k] += nx; sums[k + 1] += ny; sums[k + 2] += nz; }
  }
  for (let i = 0, k = 0; i < sums.length; i += 3, k += 4) {
    const length = Math.hypot(sums[i], sums[i + 1], sums[i + 2]) || 1;
    for (let axis = 0; axis < 3; axis++) out[k + axis] = Math.round((127 * sums[i + axis]) / length);
  }
  return (shape.normals = out);
}

// The eye's axes for a hemisphere: turntable around z; the right hemisphere is the mirror image of the left.
function axesOf(view, side, flat) {
  const [turn, tilt] = flat ? [-90, 90] : [side === "right" ? 180 - view.turn : view.turn, view.tilt];
  const a = (turn * Math.PI) / 180, e = (tilt * Math.PI) / 180;
  const toward = [Math.cos(e) * Math.cos(a), Math.cos(e) * Math.sin(a), Math.sin(e)];
  const right = [-Math.sin(a), Math.cos(a), 0];
  const up = [
    toward[1] * right[2] - toward[2] * right[1], toward[2] * right[0] - toward[0] * right[2],
    toward[0] * right[1] - toward[1] * right[0],
  ];
  return { toward, right, up };
}

class Brain {
  constructor(canvas) {
    this.canvas = canvas;
    const gl = (this.gl = canvas.getContext("webgl2", { antialias: true, preserveDrawingBuffer: true, alpha: false }));
    if (!gl) return;
    const program = (this.program = gl.createProgram());
    for (const [kind, source] of [[gl.VERTEX_SHADER, VERTEX], [gl.FRAGMENT_SHADER, FRAGMENT]]) {
      const shader = gl.createShader(kind);
      gl.shaderSource(shader, source);
      gl.compileShader(shader);
      gl.attachShader(program, shader);
    }
    gl.linkProgram(program);
    gl.useProgram(program);
    this.uniform = (name) => gl.getUniformLocation(program, name);
    this.buffers = {};
    gl.bindTexture(gl.TEXTURE_2D, gl.createTexture());
    for (const [key, value] of [[gl.TEXTURE_MIN_FILTER, gl.LINEAR], [gl.TEXTURE_MAG_FILTER, gl.LINEAR],
      [gl.TEXTURE_WRAP_S, gl.CLAMP_TO_EDGE], [gl.TEXTURE_WRAP_T, gl.CLAMP_TO_EDGE]])
      gl.texParameteri(gl.TEXTURE_2D, key, value);
    gl.enable(gl.DEPTH_TEST);
    gl.enable(gl.SCISSOR_TEST);
  }

  // What is shown. Only what changed is sent to the graphics processor.
  show(run, choice) {
    const mesh = meshOf(run.mesh), gl = this.gl;
    const kind = mesh.kinds.includes(choice.surface) ? choice.surface : mesh.kinds[0];
    const map = data.maps.find((one) => one.key === choice.map);
    if (this.colours !== map.colours) {
      this.colours = map.colours;
      gl.texImage2D(gl.TEXTURE_2D, 0, gl.RGB, 256, 1, 0, gl.RGB, gl.UNSIGNED_BYTE, unpack(data.colours[map.colours], Uint8Array));
    }
    if (this.run !== run || this.kind !== kind) for (const side of SIDES) this.sendShape(side, mesh[side], mesh[side].shapes[kind]);
    const key = [choice.map, choice.mask, choice.outline].join();
    if (this.run !== run || this.key !== key) for (const side of SIDES) this.sendValues(side, run, mesh[side], choice);
    Object.assign(this, { run, kind, key, map, mesh });
  }

  // Values of the vertices: so many components each, a vertex every so many bytes.
  send(side, name, values, components, bytes, type, normalised = false) {
    const gl = this.gl, key = `${side} ${name}`, buffer = this.buffers[key]?.buffer ?? gl.createBuffer();
    this.buffers[key] = { buffer, layout: [components, type, normalised, bytes, 0] };
    gl.bindBuffer(gl.ARRAY_BUFFER, buffer);
    gl.bufferData(gl.ARRAY_BUFFER, values, gl.STATIC_DRAW);
  }

  sendShape(side, half, shape) {
    const gl = this.gl;
    this.send(side, "point", padded(shape.points), 3, 8, gl.UNSIGNED_SHORT);
    this.send(side, "normal", normalsOf(shape), 3, 4, gl.BYTE, true);
    this.send(side, "deep", half.deep, 1, 1, gl.UNSIGNED_BYTE);
    this.buffers[`${side} faces`] ??= { buffer: gl.createBuffer() };
    gl.bindBuffer(gl.ELEMENT_ARRAY_BUFFER, this.buffers[`${side} faces`].buffer);
    gl.bufferData(gl.ELEMENT_ARRAY_BUFFER, shape.faces, gl.STATIC_DRAW);
  }

  sendValues(side, run, half, choice) {
    const gl = this.gl, { start, row } = run.places[side];
    const values = run.values[choice.map], q = run.values[choice.mask], target = run.targets[choice.outline];
    const out = new Float32Array(2 * half.n), inside = new Uint8Array(half.n);
    for (let i = 0; i < half.n; i++) {
      let sum = 0, count = 0;
      for (let k = start[i]; k < start[i + 1]; k++) {
        const value = values ? values[row[k]] : NaN;
        if (target && target[row[k]]) inside[i] = 1;
        if (Number.isFinite(value) && (!q || q[row[k]] < LEVEL)) { sum += value; count++; }
      }
      if (count) { out[2 * i] = sum / count; out[2 * i + 1] = 1; }
    }
    this.send(side, "value", out, 2, 8, gl.FLOAT);
    this.send(side, "inside", inside, 1, 1, gl.UNSIGNED_BYTE);
  }

  // Pixels a millimetre, such that both hemispheres fit as they are turned now.
  fit(view) {
    let scale = Infinity;
    for (const side of SIDES) {
      const shape = this.mesh[side].shapes[this.kind], axes = axesOf(view, side, this.kind === "flat");
      for (const [axis, room] of [["right", this.canvas.width / 4], ["up", this.canvas.height / 2]]) {
        const reach = axes[axis].reduce((sum, part, k) => sum + Math.abs(part) * shape.step[k] * 32767.5, 0);
        scale = Math.min(scale, (0.95 * room) / reach);
      }
    }
    return scale / this.canvas.height;
  }

  draw(view, choice) {
    const { gl, canvas, map } = this, flat = this.kind === "flat", pixels = view.zoom * view.fit * canvas.height;
    const background = choice.dark ? [0.09, 0.11, 0.14] : [1, 1, 1];
    SIDES.forEach((side, number) => {
      const shape = this.mesh[side].shapes[this.kind], axes = axesOf(view, side, flat), width = canvas.width / 2;
      gl.viewport(number * width, 0, width, canvas.height);
      gl.scissor(number * width, 0, width, canvas.height);
      gl.clearColor(...background, 1);
      gl.clear(gl.COLOR_BUFFER_BIT | gl.DEPTH_BUFFER_BIT);
      for (const name of ["point", "normal", "value", "inside", "deep"]) {
        const at = gl.getAttribLocation(this.program, name), one = this.buffers[`${side} ${name}`];
        if (at < 0) continue;
        gl.bindBuffer(gl.ARRAY_BUFFER, one.buffer);
        gl.enableVertexAttribArray(at);
        gl.vertexAttribPointer(at, ...one.layout);
      }
      gl.uniform3fv(this.uniform("origin"), shape.low);
      gl.uniform3fv(this.uniform("grain"), shape.step);
      gl.uniform3fv(this.uniform("centre"), shape.centre);
      for (const name of ["toward", "right", "up"]) gl.uniform3fv(this.uniform(name), axes[name]);
      gl.uniform2f(this.uniform("scale"), (2 * pixels) / width, (2 * pixels) / canvas.height);
      gl.uniform1f(this.uniform("lowest"), map.low < 0 ? -choice.range : 0);
      gl.uniform1f(this.uniform("highest"), choice.range);
      gl.uniform1f(this.uniform("threshold"), choice.threshold);
      gl.bindBuffer(gl.ELEMENT_ARRAY_BUFFER, this.buffers[`${side} faces`].buffer);
      gl.drawElements(gl.TRIANGLES, shape.faces.length, gl.UNSIGNED_INT, 0);
    });
    this.projected = null;
  }

  // The vertex under a place of the canvas (in its pixels), as {side, vertex}; null beside the brain.
  pick(x, y, view) {
    const { canvas } = this, width = canvas.width / 2, side = SIDES[x < width ? 0 : 1];
    const shape = this.mesh[side].shapes[this.kind], { points: p, faces: f, step: s, low, centre } = shape;
    const axes = axesOf(view, side, this.kind === "flat"), pixels = view.zoom * view.fit * canvas.height;
    this.projected ??= {};
    let at = this.projected[side];
    if (!at) {
      at = this.projected[side] = new Float32Array(p.length);
      for (let i = 0; i < p.length; i += 3) {
        const d = [0, 1, 2].map((k) => low[k] + s[k] * p[i + k] - centre[k]);
        at[i] = pixels * (d[0] * axes.right[0] + d[1] * axes.right[1] + d[2] * axes.right[2]);
        at[i + 1] = pixels * (d[0] * axes.up[0] + d[1] * axes.up[1] + d[2] * axes.up[2]);
        at[i + 2] = d[0] * axes.toward[0] + d[1] * axes.toward[1] + d[2] * axes.toward[2];
      }
    }
    const u = (x % width) - width / 2, v = canvas.height / 2 - y;
    let best = -Infinity, vertex = -1;
    for (let i = 0; i < f.length; i += 3) {
      const a = 3 * f[i], b = 3 * f[i + 1], c = 3 * f[i + 2];
      const area = (at[b] - at[a]) * (at[c + 1] - at[a + 1]) - (at[c] - at[a]) * (at[b + 1] - at[a + 1]);
      if (!area) continue;
      const wb = ((u - at[a]) * (at[c + 1] - at[a + 1]) - (at[c] - at[a]) * (v - at[a + 1])) / area;
      const wc = ((at[b] - at[a]) * (v - at[a + 1]) - (u - at[a]) * (at[b + 1] - at[a + 1])) / area;
      const wa = 1 - wb - wc;
      if (wa < 0 || wb < 0 || wc < 0) continue;
      const depth = wa * at[a + 2] + wb * at[b + 2] + wc * at[c + 2];
      if (depth > best) { best = depth; vertex = wa >= wb && wa >= wc ? a / 3 : wb >= wc ? b / 3 : c / 3; }
    }
    return vertex < 0 ? null : { side, vertex };
  }
}

// Three numbers a vertex in the room of four: a vertex has to begin at a multiple of four bytes.
function padded(points) {
  const out = new Uint16Array((points.length / 3) * 4);
  for (let i = 0, k = 0; i < points.length; i += 3, k += 4)
    for (let axis = 0; axis < 3; axis++) out[k + axis] = points[i + axis];
  return out;
}

function startCortex() {
  const root = $("cortex-view"), brains = [];
  const choice = { dark: matchMedia("(prefers-color-scheme: dark)").matches };
  const view = { turn: 180, tilt: 0, zoom: 1, fit: 1 };
  const figures = [...root.querySelectorAll("figure")];
  const control = (name) => $(`cortex-${name}`);
  const runAt = (number) => data.runs[Number(control(`model-${number}`).value)];
  let pending = false;
  control("view-from").append(...Object.keys(VIEWS).map((name) => element("option", {}, name)));

  for (const figure of figures) {
    const brain = new Brain(figure.querySelector("canvas"));
    if (!brain.gl) {
      root.querySelector(".failed").hidden = false;
      return;
    }
    brains.push({ brain, figure, canvas: brain.canvas, tip: figure.querySelector(".tip") });
  }

  const inUse = () => brains.filter(({ figure }) => !figure.hidden);

  function redraw() {
    if (pending) return;
    pending = true;
    requestAnimationFrame(() => {
      pending = false;
      for (const { brain } of inUse()) brain.draw(view, choice);
      Object.assign(root.dataset, {
        turn: view.turn.toFixed(1), tilt: view.tilt.toFixed(1), zoom: view.zoom.toFixed(3), map: choice.map,
        threshold: choice.threshold, range: choice.range, surface: choice.surface, mask: choice.mask,
        outline: choice.outline, drawn: Number(root.dataset.drawn || 0) + 1,
      });
    });
  }

  function resize() {
    for (const { canvas } of inUse()) {
      const ratio = Math.min(devicePixelRatio || 1, 2), box = canvas.getBoundingClientRect();
      const width = 2 * Math.round((box.width * ratio) / 2), height = Math.round(box.height * ratio);
      if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height });
    }
  }

  function refit() {
    view.fit = Math.min(...inUse().map(({ brain }) => brain.fit(view)));
  }

  function chooseMap() {
    const map = data.maps.find((one) => one.key === control("map").value), range = control("range"), threshold = control("threshold");
    const largest = Math.max(map.high, ...data.runs.flatMap((run) => (run.values[map.key] ? [extreme(run.values[map.key])] : [])));
    const step = 10 ** Math.floor(Math.log10(map.high / 50));
    for (const input of [range, threshold]) Object.assign(input, { min: 0, max: Math.ceil(largest / step) * step, step });
    range.min = range.step;
    range.value = map.high;
    threshold.value = 0;
  }

  function update() {
    for (const name of ["map", "mask", "outline", "surface"]) choice[name] = control(name) ? control(name).value : "";
    for (const name of ["range", "threshold"]) {
      choice[name] = Number(control(name).value);
      control(`${name}-shown`).textContent = shown(choice[name]);
    }
    const map = data.maps.find((one) => one.key === choice.map), low = map.low < 0 ? -choice.range : 0;
    const steps = unpack(data.colours[map.colours], Uint8Array), stops = [];
    for (let k = 0; k < 256; k += 15) stops.push(`rgb(${steps[3 * k]},${steps[3 * k + 1]},${steps[3 * k + 2]})`);
    root.querySelector(".bar").style.background = `linear-gradient(to right, ${stops.join(", ")})`;
    [low, (low + choice.range) / 2, choice.range].forEach((value, k) => {
      root.querySelectorAll(".ticks span")[k].textContent = shown(value, 3, low < 0);
    });
    root.querySelector(".unit").textContent = map.unit;
    brains.forEach(({ brain, figure }, number) => {
      figure.hidden = !control(`model-${number}`).value;
      if (figure.hidden) return;
      const run = runAt(number);
      figure.querySelector(".name").textContent = run.label;
      brain.show(run, choice);
      brain.canvas.setAttribute("aria-label",
        `Both hemispheres, ${choice.surface} surface: ${map.title}, ${run.label}. Arrow keys turn, plus and minus zoom; values by target are in the table below.`);
    });
    root.classList.toggle("two", inUse().length > 1);
    control("view-from").disabled = choice.surface === "flat";
    resize();
    redraw();
  }

  function look(name) {
    [view.turn, view.tilt] = VIEWS[name];
    view.zoom = 1;
    refit();
    redraw();
  }

  function turn(dx, dy) {
    if (choice.surface === "flat") return;
    view.turn = (view.turn + dx + 360) % 360;
    view.tilt = Math.max(-90, Math.min(90, view.tilt + dy));
    redraw();
  }

  function zoom(factor) {
    view.zoom = Math.max(0.5, Math.min(12, view.zoom * factor));
    redraw();
  }

  function hover(one, event) {
    const { brain, canvas, tip, figure } = one, box = canvas.getBoundingClientRect();
    const ratio = canvas.width / box.width;
    const found = brain.pick((event.clientX - box.left) * ratio, (event.clientY - box.top) * ratio, view);
    tip.hidden = !found;
    if (!found) return;
    const place = brain.run.places[found.side], rows = [...place.row.subarray(place.start[found.vertex], place.start[found.vertex + 1])];
    const lines = [`${found.side} vertex ${found.vertex}`];
    if (!rows.length) lines.push("no voxel");
    for (const row of rows.slice(0, 3)) lines.push(...describe(brain.run, row));
    if (rows.length > 3) lines.push(`and ${rows.length - 3} more voxels`);
    tip.replaceChildren(...lines.map((line) => element("div", {}, line)));
    const frame = figure.getBoundingClientRect();
    tip.style.left = `${Math.max(0, Math.min(event.clientX - frame.left + 14, frame.width - tip.offsetWidth - 4))}px`;
    tip.style.top = `${event.clientY - frame.top + 16}px`;
  }

  for (const one of brains) {
    const { canvas, tip } = one;
    let from = null, waiting = false;
    canvas.addEventListener("pointerdown", (event) => {
      from = [event.clientX, event.clientY];
      canvas.setPointerCapture(event.pointerId);
      tip.hidden = true;
    });
    canvas.addEventListener("pointermove", (event) => {
      if (from) {
        const box = canvas.getBoundingClientRect(), mirrored = event.clientX - box.left > box.width / 2 ? -1 : 1;
        turn(-0.5 * mirrored * (event.clientX - from[0]), 0.5 * (event.clientY - from[1]));
        from = [event.clientX, event.clientY];
      } else if (!waiting) {
        waiting = true;
        requestAnimationFrame(() => { waiting = false; hover(one, event); });
      }
    });
    for (const kind of ["pointerup", "pointercancel"]) canvas.addEventListener(kind, () => { from = null; });
    canvas.addEventListener("click", (event) => hover(one, event));
    canvas.addEventListener("pointerleave", () => { tip.hidden = true; });
    canvas.addEventListener("wheel", (event) => {
      if (!event.ctrlKey && document.activeElement !== canvas) return; // else the page scrolls
      event.preventDefault();
      zoom(Math.exp(-event.deltaY / 500));
    }, { passive: false });
    canvas.addEventListener("keydown", (event) => {
      const step = { ArrowLeft: [10, 0], ArrowRight: [-10, 0], ArrowUp: [0, 10], ArrowDown: [0, -10] }[event.key];
      const factor = { "+": 1.25, "=": 1.25, "-": 0.8 }[event.key];
      if (step) turn(...step);
      if (factor) zoom(factor);
      if (step || factor) event.preventDefault();
    });
  }

  control("map").addEventListener("change", () => { chooseMap(); update(); });
  for (const name of ["mask", "outline", "range", "threshold"]) control(name)?.addEventListener("input", update);
  for (const name of ["surface", "model-0", "model-1"])
    control(name)?.addEventListener("change", () => { update(); look(control("view-from").value); });
  control("view-from").addEventListener("change", () => look(control("view-from").value));
  control("reset").addEventListener("click", () => { chooseMap(); update(); look(control("view-from").value); });
  control("closer").addEventListener("click", () => zoom(1.25));
  control("further").addEventListener("click", () => zoom(0.8));
  control("png").addEventListener("click", () => picture(inUse(), root, choice, true));
  control("svg").addEventListener("click", () => picture(inUse(), root, choice, false));
  addEventListener("resize", () => { resize(); redraw(); });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", (event) => { choice.dark = event.matches; redraw(); });
  chooseMap();
  update();
  look(control("view-from").value);
}

const extreme = (values) => {
  let largest = 0;
  for (const value of values) if (Math.abs(value) > largest) largest = Math.abs(value);
  return largest;
};

if ($("cortex-view")) startCortex();
document.documentElement.dataset.interactive = performance.now().toFixed(0);
