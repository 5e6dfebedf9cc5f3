/** Texts held against bytes, without making a string of these. */

/** True if `bytes[from..to)` is that text, which is ASCII. */
export function isAscii(text: string, bytes: Buffer, from: number, to: number): boolean {
  if (text.length !== to - from) return false;
  for (let i = 0; i < text.length; i += 1) {
    if (text.charCodeAt(i) !== bytes[from + i]) return false;
  }
  return true;
}
