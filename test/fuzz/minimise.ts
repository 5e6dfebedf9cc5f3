/**
 * Makes an input smaller for as long as it still does what it was kept for: parts are left out,
 * large ones first, then single bytes are made plain.
 */
/** Tries that one input may cost. */
const TRIES_MAX = 3000;

/** The smallest input found for which `holds` is true; it must be true of the input given. */
export async function minimise(
  input: Buffer,
  holds: (candidate: Buffer) => Promise<boolean>,
): Promise<Buffer> {
  let best = input;
  let tries = 0;
  const attempt = async (candidate: Buffer): Promise<boolean> => {
    tries += 1;
    if (tries > TRIES_MAX || !(await holds(candidate))) return false;
    best = candidate;
    return true;
  };
  for (let size = Math.ceil(best.length / 2); size >= 1; size = size === 1 ? 0 : size >> 1) {
    let at = 0;
    while (at < best.length && tries <= TRIES_MAX) {
      const shorter = Buffer.concat([best.subarray(0, at), best.subarray(at + size)]);
      if (!(await attempt(shorter))) at += size;
    }
  }
  for (let at = 0; at < best.length && tries <= TRIES_MAX; at += 1) {
    if (PLAIN.includes(best[at] ?? 0)) continue;
    for (const plain of PLAIN) {
      const copy = Buffer.from(best);
      copy[at] = plain;
      if (await attempt(copy)) break;
    }
  }
  return best;
}

const PLAIN = Buffer.from('a0 \n');
