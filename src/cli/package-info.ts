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
 * grow to tens of megabytes before it collects it. Bounded so, a worker under load held 133 MB in place of
 * 176 to 192, and the listener 29 in place of 82, at the same CPU an exchange (measured).
 */
export const SUPERVISOR_FLAGS: readonly string[] = ['--max-semi-space-size=1'];
export const WORKER_FLAGS: readonly string[] = ['--max-semi-space-size=8'];

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
