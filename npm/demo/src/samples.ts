// Something to put on the shelf: pictures of the sea, drawn here, and two texts.

interface Scene {
  name: string;
  sky: string[];
  /** From the horizon to the shore. */
  sea: string[];
  sun?: { x: number; y: number; r: number; colour: string };
  stars?: boolean;
  sail?: string;
}

const SCENES: Scene[] = [
  {
    name: "First light.jpg",
    sky: ["#2c4a6b", "#b67b87", "#f6b58b", "#fde3b5"],
    sea: ["#e9b594", "#9b8396", "#4d6583", "#2b4763"],
    sun: { x: 0.66, y: 0.5, r: 62, colour: "#fff2cf" },
  },
  {
    name: "Noon, wind from the west.jpg",
    sky: ["#5fb0d6", "#a9d7e6", "#e6f4f2"],
    sea: ["#8ccdd2", "#38a0b0", "#177d93", "#0f5a72"],
    sail: "#ffffff",
  },
  {
    name: "Before the storm.jpg",
    sky: ["#2f3c46", "#566872", "#8fa09f", "#c7cdbf"],
    sea: ["#8d9d9a", "#556d70", "#324a50", "#1d3138"],
    sail: "#e7dcc8",
  },
  {
    name: "Harbour at dusk.jpg",
    sky: ["#1f2b4d", "#5a4a78", "#c76f74", "#f4a976"],
    sea: ["#d98f78", "#7d5a79", "#3d3f66", "#222a49"],
    sun: { x: 0.3, y: 0.52, r: 48, colour: "#ffd9a0" },
    sail: "#2a2745",
  },
  {
    name: "Night watch.jpg",
    sky: ["#050d1d", "#0c2038", "#1c3d55"],
    sea: ["#1f475c", "#12344a", "#0b2236", "#061424"],
    sun: { x: 0.74, y: 0.22, r: 34, colour: "#eef3e4" },
    stars: true,
  },
  {
    name: "The sandbank.jpg",
    sky: ["#8fc5d2", "#cfe6e0", "#f7ecd4"],
    sea: ["#9ad3cd", "#5fb7b5", "#bfcfae", "#e8d7ab"],
    sun: { x: 0.5, y: 0.2, r: 40, colour: "#fff8e2" },
  },
];

const LOG = `# Log of the Sanderling

06:12  High tide. Left the harbour under main and jib, wind west 4.
07:40  Rounded the point. No network from here on.
11:05  Seals on the sandbank; pictures are on the shelf.
15:30  Back inside the breakwater. Everything went up by itself.
`;

const TIDES = `day,high,height m,low,height m
Mon,06:12,3.1,12:31,0.7
Tue,07:01,3.3,13:19,0.5
Wed,07:49,3.4,14:06,0.4
Thu,08:37,3.4,14:53,0.4
`;

/** Six pictures and two texts. */
export async function samples(): Promise<File[]> {
  const pictures = await Promise.all(SCENES.map(paint));
  return [
    ...pictures,
    new File([LOG], "Log of the Sanderling.md", { type: "text/markdown" }),
    new File([TIDES], "Tides.csv", { type: "text/csv" }),
  ].reverse();
}

const WIDTH = 1600;
const HEIGHT = 1200;
const HORIZON = 0.56;

function paint(scene: Scene, seed: number): Promise<File> {
  const canvas = document.createElement("canvas");
  canvas.width = WIDTH;
  canvas.height = HEIGHT;
  const context = canvas.getContext("2d");
  if (!context) throw new Error("no canvas");
  const random = dice(seed + 1);
  const horizon = HEIGHT * HORIZON;
  context.fillStyle = gradient(context, 0, horizon, scene.sky);
  context.fillRect(0, 0, WIDTH, horizon + 1);
  if (scene.stars) {
    for (let i = 0; i < 160; i++) {
      context.fillStyle = `rgba(255,255,255,${0.2 + random() * 0.7})`;
      context.fillRect(random() * WIDTH, random() * horizon * 0.9, 2, 2);
    }
  }
  clouds(context, random, scene);
  context.fillStyle = gradient(context, horizon, HEIGHT, scene.sea);
  context.fillRect(0, horizon, WIDTH, HEIGHT - horizon);
  if (scene.sun) light(context, random, scene.sun);
  swell(context, random, scene);
  if (scene.sail) boat(context, scene.sail);
  return new Promise((resolve, reject) =>
    canvas.toBlob(
      (blob) => (blob ? resolve(new File([blob], scene.name, { type: "image/jpeg" })) : reject(new Error("no picture"))),
      "image/jpeg",
      0.86,
    ),
  );
}

function gradient(context: CanvasRenderingContext2D, from: number, to: number, colours: string[]): CanvasGradient {
  const filled = context.createLinearGradient(0, from, 0, to);
  colours.forEach((colour, i) => filled.addColorStop(i / (colours.length - 1), colour));
  return filled;
}

function clouds(context: CanvasRenderingContext2D, random: () => number, scene: Scene): void {
  if (scene.stars) return;
  for (let i = 0; i < 26; i++) {
    const y = HEIGHT * (0.05 + random() * 0.45);
    const width = 160 + random() * 520;
    context.fillStyle = `rgba(255,255,255,${0.03 + random() * 0.08})`;
    context.beginPath();
    context.ellipse(random() * WIDTH, y, width, 6 + random() * 26, 0, 0, 2 * Math.PI);
    context.fill();
  }
}

function light(context: CanvasRenderingContext2D, random: () => number, sun: NonNullable<Scene["sun"]>): void {
  const [x, y] = [sun.x * WIDTH, sun.y * HEIGHT];
  const halo = context.createRadialGradient(x, y, sun.r * 0.6, x, y, sun.r * 6);
  halo.addColorStop(0, `${sun.colour}aa`);
  halo.addColorStop(1, `${sun.colour}00`);
  context.save();
  context.beginPath();
  context.rect(0, 0, WIDTH, HEIGHT * HORIZON);
  context.clip();
  context.fillStyle = halo;
  context.fillRect(0, 0, WIDTH, HEIGHT);
  context.fillStyle = sun.colour;
  context.beginPath();
  context.arc(x, y, sun.r, 0, 2 * Math.PI);
  context.fill();
  context.restore();
  // Its road on the water.
  for (let i = 0; i < 90; i++) {
    const depth = random() ** 1.6;
    const at = HEIGHT * HORIZON + depth * HEIGHT * 0.4;
    const width = (12 + random() * 60) * (0.5 + depth * 1.6);
    context.fillStyle = `${sun.colour}${Math.round(30 + random() * 60).toString(16).padStart(2, "0")}`;
    context.fillRect(x + (random() - 0.5) * (60 + depth * 320) - width / 2, at, width, 2 + depth * 4);
  }
}

function swell(context: CanvasRenderingContext2D, random: () => number, scene: Scene): void {
  const dark = scene.sea.at(-1) ?? "#000000";
  for (let i = 0; i < 46; i++) {
    const depth = (i / 46) ** 1.7;
    const y = HEIGHT * HORIZON + 6 + depth * HEIGHT * (1 - HORIZON);
    const length = 70 + depth * 420;
    const phase = random() * length;
    context.lineWidth = 1 + depth * 7;
    context.strokeStyle = i % 3 === 0 ? `rgba(255,255,255,${0.05 + random() * 0.12})` : `${dark}30`;
    context.beginPath();
    for (let x = -length; x <= WIDTH + length; x += 12) {
      const height = Math.sin((x + phase) / (length / 6.3)) * (2 + depth * 13);
      if (x === -length) context.moveTo(x, y + height);
      else context.lineTo(x, y + height);
    }
    context.stroke();
  }
}

function boat(context: CanvasRenderingContext2D, colour: string): void {
  const [x, y] = [WIDTH * 0.64, HEIGHT * (HORIZON + 0.035)];
  context.fillStyle = "#2a2f3a";
  context.beginPath();
  context.moveTo(x - 62, y - 12);
  context.lineTo(x + 70, y - 12);
  context.quadraticCurveTo(x + 52, y + 12, x + 30, y + 12);
  context.lineTo(x - 40, y + 12);
  context.closePath();
  context.fill();
  context.fillStyle = colour;
  for (const side of [-1, 1]) {
    context.beginPath();
    context.moveTo(x + 4 * side, y - 190);
    context.quadraticCurveTo(x + 46 * side, y - 90, x + (side < 0 ? -54 : 66), y - 22);
    context.lineTo(x + 4 * side, y - 22);
    context.closePath();
    context.fill();
  }
}

/** Numbers that look like chance and are the same each time (mulberry32). */
function dice(seed: number): () => number {
  let state = seed * 0x9e3779b9;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
}
