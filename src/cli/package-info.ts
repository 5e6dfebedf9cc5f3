/** What the package says of itself, and where it lies. */
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The folder of the checkout or the installed package: above `src/cli` and `dist/cli` alike. */
export const PACKAGE_ROOT = join(dirname(fileURLToPath(import.meta.url)), '..', '..');

/** What a process of this program is started with. */
export const ENTRY = join(PACKAGE_ROOT, 'bin', 'entry.mjs');

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
