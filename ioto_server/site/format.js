// Values to text and text to values. No DOM here.

const two = (n) => String(n).padStart(2, "0");

export function clock(ms, { seconds = true, millis = false } = {}) {
  const t = new Date(ms);
  let text = `${two(t.getHours())}:${two(t.getMinutes())}`;
  if (seconds || millis) text += `:${two(t.getSeconds())}`;
  if (millis) text += `.${String(t.getMilliseconds()).padStart(3, "0")}`;
  return text;
}

export function duration(ms) {
  const s = Math.floor(ms / 1000);
  const h = Math.floor(s / 3600);
  const tail = `${two(Math.floor(s / 60) % 60)}:${two(s % 60)}`;
  return h ? `${h}:${tail}` : tail;
}

/** 1024-based, as the sizes of web.json5 are. */
export function bytes(n) {
  if (n < 1024) return `${n} B`;
  const units = ["KB", "MB", "GB"];
  let value = n;
  let unit = -1;
  do {
    value /= 1024;
    unit += 1;
  } while (value >= 1023.95 && unit < units.length - 1);
  return `${value.toFixed(1)} ${units[unit]}`;
}

const encoder = new TextEncoder();
export const utf8Length = (text) => encoder.encode(text).length;

export const plural = (n, one, many = `${one}s`) => `${n.toLocaleString("en")} ${n === 1 ? one : many}`;

/** Bytes from hex digits; blanks, commas, colons and 0x between them are allowed. Throws a sentence. */
export function parseHex(text) {
  const digits = text.replace(/0x/gi, "").replace(/[\s,:]/g, "");
  const wrong = digits.search(/[^0-9a-f]/i);
  if (wrong >= 0) throw new Error(`“${String.fromCodePoint(digits.codePointAt(wrong))}” is not a hex digit (0-9, a-f).`);
  if (digits.length % 2) throw new Error(`${plural(digits.length, "hex digit")}: every byte needs two, so one is missing.`);
  return Uint8Array.from({ length: digits.length / 2 }, (_, i) => parseInt(digits.slice(2 * i, 2 * i + 2), 16));
}

/** Lines of `width` bytes: offset, hex, and what of it is printable ASCII. */
export function hexDump(data, width) {
  const lines = [];
  for (let at = 0; at < data.length; at += width) {
    const part = data.subarray(at, at + width);
    const hex = Array.from(part, (b) => b.toString(16).padStart(2, "0")).join(" ");
    const text = Array.from(part, (b) => (b > 31 && b < 127 ? String.fromCharCode(b) : "·")).join("");
    lines.push(`${at.toString(16).padStart(4, "0")}  ${hex.padEnd(3 * width - 1)}  ${text}`);
  }
  return lines.join("\n");
}

/** The value of a JSON object or array, else undefined: a bare number or word is not worth prettifying. */
export function parseJson(text) {
  if (!/^\s*[[{]/.test(text)) return undefined;
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
