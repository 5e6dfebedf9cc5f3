/** What the package says of itself, and where it lies. */
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The folder of the checkout or the installed package: above `src/cli` and `dist/cli` alike. */
export const PACKAGE_ROOT = join(dirname(fileURLToPath(import.meta.url)), '..', '..');

/** What a process of this program is started with. */
export const ENTRY = join(PACKAGE_ROOT, 'bin', 'entry.mjs');

/**
 * What the process that listens and the ones that serve are started with. Node lets the young generation
 * grow to tens of megabytes before it collects it. Small, it lets go of the buffers of large bodies before
 * their sum, which counts too, has the whole heap collected: 1 MB of request took 1.4 ms of CPU in place of
 * 2.5 with 8 MB, a small exchange 49 µs in place of 54, a stream the same; and memory stays lower.
 *
 * A worker's heap of some 20 MB is marked in steps between its other work. Threads that do it beside cost more than they
 * spare: 340 µs for 200 KB of request in place of 420 to 500, and the same 1 MB took 1.5 to 2.8 ms with them.
 */
export const SUPERVISOR_FLAGS: readonly string[] = ['--max-semi-space-size=1'];
export const WORKER_FLAGS: readonly string[] = [
  '--max-semi-space-size=2',
  '--no-concurrent-marking',
];

/** True in a checkout, where the sources run as they are. */
export const IN_CHECKOUT = existsSync(join(PACKAGE_ROOT, 'src', 'cli', 'main.ts'));

/** The version in `package.json`. */
export function packageVersion(): string {
  const parsed: unknown = JSON.parse(readFileSync(join(PACKAGE_ROOT, 'package.json'), 'utf8'));
  if (typeof parsed === 'object' && parsed !== null && 'version' in parsed) {
    return String(parsed.version);
  }
  return 'unknown';
}
