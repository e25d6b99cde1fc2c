// A small picture or the first words of a file, made once and kept on its card.

export interface Glimpse {
  /** A picture as a `data:` address. */
  picture?: string;
  /** The first words of a text. */
  words?: string;
}

/** Longer side of a thumbnail, in pixels. */
const SIDE = 420;
const WORDS = 260;
/** A larger picture is not decoded for a thumbnail. */
const LARGEST = 60e6;

/** What can be shown of a file; nothing when it is of a kind that browsers do not show. */
export async function glimpse(file: File): Promise<Glimpse> {
  try {
    if (file.type.startsWith("image/") && file.size <= LARGEST) return { picture: await thumbnail(file) };
    if (isText(file)) return { words: (await file.slice(0, 4 * WORDS).text()).slice(0, WORDS) };
  } catch (error) {
    // A damaged picture is a file all the same.
    console.info(`no thumbnail of ${file.name}`, error);
  }
  return {};
}

/** Whether it is shown as text. */
export function isText({ type, name }: { type: string; name: string }): boolean {
  return type.startsWith("text/") || type === "application/json" || /\.(md|csv|log|toml|yaml|yml|rs|ts)$/i.test(name);
}

async function thumbnail(file: File): Promise<string> {
  const image = await createImageBitmap(file).catch(() => drawing(file));
  const scale = Math.min(1, SIDE / Math.max(image.width, image.height));
  const canvas = document.createElement("canvas");
  canvas.width = Math.max(1, Math.round(image.width * scale));
  canvas.height = Math.max(1, Math.round(image.height * scale));
  const context = canvas.getContext("2d");
  if (!context) throw new Error("no canvas");
  context.imageSmoothingQuality = "high";
  context.drawImage(image, 0, 0, canvas.width, canvas.height);
  if ("close" in image) image.close();
  // Where WebP is unknown this is PNG.
  return canvas.toDataURL("image/webp", 0.8);
}

/** What `createImageBitmap` does not take, such as SVG. */
async function drawing(file: File): Promise<HTMLImageElement> {
  const url = URL.createObjectURL(file);
  try {
    const image = new Image(SIDE, SIDE);
    image.src = url;
    await image.decode();
    if (image.naturalWidth > 0) {
      image.width = image.naturalWidth;
      image.height = image.naturalHeight;
    }
    return image;
  } finally {
    URL.revokeObjectURL(url);
  }
}
