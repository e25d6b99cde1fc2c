// Numbers and times as people read them.

const UNITS = ["kB", "MB", "GB", "TB"];

/** Bytes in decimal units: `1.2 MB`. */
export function bytes(count: number): string {
  if (count < 1000) return `${count} B`;
  let unit = 0;
  let value = count / 1000;
  while (value >= 999.5 && unit < UNITS.length - 1) {
    value /= 1000;
    unit++;
  }
  return `${value.toFixed(value < 9.95 ? 1 : 0)} ${UNITS[unit]}`;
}

/** `1 file`, `1,200 files`. */
export function count(n: number, one: string, many = `${one}s`): string {
  return `${n.toLocaleString("en")} ${n === 1 ? one : many}`;
}

/** How long ago, roughly. */
export function ago(time: Date, now = Date.now()): string {
  const seconds = Math.max(0, (now - time.getTime()) / 1000);
  if (seconds < 45) return "just now";
  if (seconds < 3570) return `${Math.max(1, Math.round(seconds / 60))} min ago`;
  if (seconds < 84_600) return `${Math.round(seconds / 3600)} h ago`;
  return time.toLocaleDateString("en", { day: "numeric", month: "short", year: "numeric" });
}
