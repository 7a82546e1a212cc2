"use strict";
// The brains as they are shown, with titles and colour bar, as SVG (text stays text) or PNG.

const save = (name, url) => {
  const link = element("a", { href: url, download: name });
  document.body.append(link);
  link.click();
  link.remove();
};
const slug = (text) => text.replace(/[^\p{L}\p{N}]+/gu, "-").slice(0, 60);

function picture(brains, root, choice, raster) {
  const width = 640, brainHeight = Math.round((width * brains[0].canvas.height) / brains[0].canvas.width);
  const ink = choice.dark ? "#e6e9ed" : "#1c2733", paper = choice.dark ? "#171c24" : "#ffffff";
  const height = brainHeight + 96, NS = "http://www.w3.org/2000/svg", total = width * brains.length;
  const svg = document.createElementNS(NS, "svg");
  const add = (parent, tag, attributes, text) => {
    const made = document.createElementNS(NS, tag);
    for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
    if (text !== undefined) made.textContent = text;
    parent.append(made);
    return made;
  };
  for (const [key, value] of Object.entries({ width: total, height, viewBox: `0 0 ${total} ${height}`, "font-family": "Helvetica, Arial, sans-serif" }))
    svg.setAttribute(key, value);
  add(svg, "rect", { width: total, height, fill: paper });
  brains.forEach(({ brain, canvas }, number) => {
    const x = number * width, title = `${brain.map.title}: ${brain.run.label}`;
    add(svg, "text", { x: x + 14, y: 26, fill: ink, "font-size": 15, "font-weight": 700 }, title.length > 70 ? `${title.slice(0, 69)}…` : title);
    add(svg, "image", { x, y: 38, width, height: brainHeight, href: canvas.toDataURL("image/png") });
  });
  if (root.dataset.simulated) add(svg, "text", { x: total - 14, y: 26, "text-anchor": "end", fill: ink, "font-size": 12, "font-weight": 700 }, root.dataset.simulated);
  const map = brains[0].brain.map, low = map.low < 0 ? -choice.range : 0, steps = unpack(data.colours[map.colours], Uint8Array);
  const gradient = add(add(svg, "defs", {}), "linearGradient", { id: "colours" });
  for (let k = 0; k < 256; k += 15)
    add(gradient, "stop", { offset: k / 255, "stop-color": `rgb(${steps[3 * k]},${steps[3 * k + 1]},${steps[3 * k + 2]})` });
  const at = total / 2 - 120, top = brainHeight + 46;
  add(svg, "rect", { x: at, y: top, width: 240, height: 10, fill: "url(#colours)" });
  [low, (low + choice.range) / 2, choice.range].forEach((value, k) =>
    add(svg, "text", { x: at + 120 * k, y: top + 24, "text-anchor": "middle", fill: ink, "font-size": 11 }, shown(value, 3, low < 0)));
  add(svg, "text", { x: total / 2, y: top + 40, "text-anchor": "middle", fill: ink, "font-size": 11 }, map.unit);
  const text = new XMLSerializer().serializeToString(svg), name = slug(`${choice.map}-${choice.surface}`);
  const url = URL.createObjectURL(new Blob([text], { type: "image/svg+xml" }));
  if (!raster) return save(`${name}.svg`, url);
  const image = new Image();
  image.onload = () => {
    const canvas = element("canvas", { width: 3 * total, height: 3 * height });
    canvas.getContext("2d").drawImage(image, 0, 0, 3 * total, 3 * height);
    save(`${name}.png`, canvas.toDataURL("image/png"));
  };
  image.src = url;
}
