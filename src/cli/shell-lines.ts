/**
 * Lines that change the environment of a shell, quoted so that no value can be anything but a value.
 *
 * Every line ends with `;`, so that an unquoted `eval $(…)`, which joins lines, still works.
 */
import type { ClientEnvironment } from './environment.ts';

export const SHELLS = ['sh', 'fish', 'powershell'] as const;
export type Shell = (typeof SHELLS)[number];

interface Dialect {
  set(name: string, value: string): string;
  unset(name: string): string;
}

const DIALECTS: Readonly<Record<Shell, Dialect>> = {
  sh: {
    set: (name, value) => `export ${name}='${value.replaceAll("'", "'\\''")}';`,
    unset: (name) => `unset ${name};`,
  },
  fish: {
    set: (name, value) => `set -gx ${name} '${value.replace(/['\\]/g, '\\$&')}';`,
    unset: (name) => `set -e ${name};`,
  },
  powershell: {
    // PowerShell takes typographic single quotes for the plain one, and each ends the text.
    set: (name, value) =>
      `$env:${name} = '${value.replace(/['\u2018\u2019\u201a\u201b]/g, '$&$&')}';`,
    unset: (name) => `Remove-Item -ErrorAction SilentlyContinue Env:${name};`,
  },
};

/** The lines for a shell, without a final line break. */
export function shellLines(changes: ClientEnvironment, shell: Shell): string {
  const dialect = DIALECTS[shell];
  const lines: string[] = [];
  for (const [name, value] of Object.entries(changes.set)) lines.push(dialect.set(name, value));
  for (const name of changes.unset) lines.push(dialect.unset(name));
  return lines.join('\n');
}
