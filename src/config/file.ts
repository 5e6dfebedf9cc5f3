/**
 * Finds, reads and checks the configuration file. Every fault carries its line: those of YAML from
 * its parser, those of shape from the node of the setting.
 *
 * `yaml` and `zod` are loaded only when there is a file, since they cost more than the rest of the
 * start together.
 */
import { readFileSync, statSync } from 'node:fs';
import { join, resolve } from 'node:path';
import type { Document, LineCounter } from 'yaml';
import { CONFIG_FILE_BYTES_MAX } from '../core/limits.ts';
import { ConfigError, type ConfigProblem, variableProblem } from './errors.ts';
import { explainIssues, fileProblem, type Place, type SettingPath } from './issues.ts';
import type { FileConfig } from './schema.ts';

/** The name looked for in the working directory and in the home. */
export const CONFIG_FILE_NAME = 'lanekeeper.yaml';

/** A file whose shape is right. */
export interface ConfigFile extends Place {
  readonly data: FileConfig;
}

/**
 * The file to read: the one named, else the one in the working directory, else the one in the home.
 *
 * @param named path of `--config`, relative to `cwd`
 * @returns an absolute path, or null where there is no file
 * @throws ConfigError where a named file does not exist
 */
export function findConfigFile(
  named: string | undefined,
  cwd: string,
  home: string,
): string | null {
  if (named !== undefined) {
    const file = resolve(cwd, named);
    if (exists(file)) return file;
    throw new ConfigError([
      variableProblem('--config', `${file} does not exist`, 'name a file that exists'),
    ]);
  }
  for (const directory of [cwd, home]) {
    const file = join(resolve(directory), CONFIG_FILE_NAME);
    if (exists(file)) return file;
  }
  return null;
}

/**
 * Reads and checks a file.
 *
 * @param file absolute path
 * @throws ConfigError with every fault of YAML, or else every fault of shape
 */
export async function readConfigFile(file: string): Promise<ConfigFile> {
  const text = readText(file);
  const yaml = await import('yaml');
  const lines = new yaml.LineCounter();
  const document = yaml.parseDocument(text, {
    lineCounter: lines,
    prettyErrors: false,
    uniqueKeys: true,
    strict: true,
    stringKeys: true,
  });
  const yamlProblems = yamlFaults(file, document, lines, yaml);
  if (yamlProblems.length > 0) throw new ConfigError(yamlProblems);

  const { fileSchema, jsonSchema } = await import('./schema.ts');
  const data: unknown = document.toJS() ?? {};
  const place: Place = { file, lineOf: (path) => lineOf(document, lines, path, yaml) };
  const checked = fileSchema.safeParse(data);
  if (!checked.success) {
    const context = { place, data, schema: jsonSchema() };
    const faults = explainIssues(checked.error.issues, context);
    throw new ConfigError(faults.sort((a, b) => (a.line ?? 0) - (b.line ?? 0)));
  }
  return { ...place, data: checked.data };
}

type Yaml = typeof import('yaml');

function exists(file: string): boolean {
  try {
    statSync(file);
    return true;
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    // What is there but can not be seen is reported when it is read.
    return code !== 'ENOENT' && code !== 'ENOTDIR';
  }
}

function readText(file: string): string {
  const place: Place = { file, lineOf: () => null };
  try {
    if (statSync(file).size > CONFIG_FILE_BYTES_MAX) {
      const message = `is larger than ${CONFIG_FILE_BYTES_MAX} bytes`;
      throw new ConfigError([fileProblem(place, [], message, 'name the right file')]);
    }
    return readFileSync(file, 'utf8');
  } catch (error) {
    if (error instanceof ConfigError) throw error;
    const code = (error as NodeJS.ErrnoException).code ?? 'unknown';
    const mend = 'make it a file that you can read, or name another with --config';
    throw new ConfigError([fileProblem(place, [], `can not be read (${code})`, mend)]);
  }
}

/** What the parser quotes of the file at the end of a message; it may be a key. */
const QUOTED = /(?:: (?!in |between )| %| ?\\)[\s\S]*$/;

function yamlFaults(
  file: string,
  document: Document,
  lines: LineCounter,
  yaml: Yaml,
): ConfigProblem[] {
  const faultAt = (offset: number, message: string, mend: string): ConfigProblem => ({
    file,
    variable: null,
    line: lines.linePos(offset).line,
    path: null,
    message,
    mend,
  });
  const faults: ConfigProblem[] = [];
  // An alias is in practice a glob whose quotes were forgotten, and explains every other error.
  yaml.visit(document, {
    Alias(_key, node) {
      const mend = 'put quotes around a glob: "*haiku*"';
      faults.push(faultAt(node.range?.[0] ?? 0, 'a * without quotes is a YAML alias', mend));
    },
    Pair(_key, { key }) {
      // Maps leave it out without a word.
      if (!yaml.isScalar(key) || key.value !== '__proto__') return;
      faults.push(faultAt(key.range?.[0] ?? 0, '__proto__ is no name', 'choose another name'));
    },
  });
  if (faults.length > 0) return faults;
  for (const error of [...document.errors, ...document.warnings]) {
    const duplicate = error.code === 'DUPLICATE_KEY';
    const message = duplicate
      ? 'this setting stands twice'
      : `is not valid YAML: ${error.message.replace(QUOTED, '')}`;
    const mend = duplicate ? 'keep one of the two' : 'correct the file at this line';
    faults.push(faultAt(error.pos[0], message, mend));
  }
  return faults;
}

/** The line of the key that a path ends at, or of the nearest setting around it that exists. */
function lineOf(
  document: Document,
  lines: LineCounter,
  path: SettingPath,
  yaml: Yaml,
): number | null {
  let node: unknown = document.contents;
  let offset: number | null = null;
  for (const part of path) {
    if (yaml.isMap(node)) {
      const pair = node.items.find((item) => yaml.isScalar(item.key) && item.key.value === part);
      if (pair === undefined || !yaml.isScalar(pair.key)) break;
      offset = pair.key.range?.[0] ?? offset;
      node = pair.value;
    } else if (yaml.isSeq(node) && typeof part === 'number') {
      node = node.items[part];
      if (!yaml.isNode(node)) break;
      offset = node.range?.[0] ?? offset;
    } else {
      break;
    }
  }
  return offset === null ? null : lines.linePos(offset).line;
}
