/**
 * The environment: every variable of the contract, read strictly. This module and `.env` reading are
 * the only places where variables are looked at; everything else sees a `Config`.
 *
 * A switch is `1` or `0`; empty means unset. Anything else is a problem that names the variable and
 * the mend, since a mistyped switch must not silently do the opposite of what was meant.
 */
import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { parseEnv } from 'node:util';
import { type ConfigProblem, shapeOf, variableProblem } from './errors.ts';
import type { HeaderMode } from './types.ts';

/** Variables by name, as the process got them or with `.env` behind them. */
export type Variables = Readonly<Record<string, string | undefined>>;

/** What the environment says; null where it says nothing. */
export interface EnvironmentSettings {
  readonly port: number | null;
  readonly forceHaiku: boolean;
  readonly forceH1: boolean | null;
  readonly preferH2: boolean | null;
  readonly headerMode: HeaderMode | null;
  /** Empty: the model's name as it came. */
  readonly zaiModel: string | null;
  readonly backoff: boolean;
  readonly filterChain: boolean;
  readonly bodyTee: boolean;
  readonly paused: boolean;
}

/** The file read beside the environment. */
export const DOT_ENV = '.env';
/** The home where neither option nor variable names one. */
const HOME_NAME = '.lanekeeper';

/**
 * The variables of `.env` in a directory, none where there is no such file.
 *
 * @returns the variables, and a problem where the file exists but can not be read
 */
export function readDotEnv(cwd: string): {
  readonly variables: Variables;
  readonly problem: ConfigProblem | null;
} {
  const file = join(cwd, DOT_ENV);
  try {
    return { variables: parseEnv(readFileSync(file, 'utf8')), problem: null };
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? 'unknown';
    if (code === 'ENOENT' || code === 'ENOTDIR') return { variables: {}, problem: null };
    const problem: ConfigProblem = {
      file,
      variable: null,
      line: null,
      path: null,
      message: `can not be read (${code})`,
      mend: 'make it a file that you can read, or remove it',
    };
    return { variables: {}, problem };
  }
}

/** The process's variables with those of `.env` behind them: what is set, even empty, stays. */
export function mergeVariables(env: Variables, dotEnv: Variables): Variables {
  const merged: Record<string, string | undefined> = { ...dotEnv };
  for (const [name, value] of Object.entries(env)) {
    if (value !== undefined) merged[name] = value;
  }
  return merged;
}

/** Reads every variable of the contract; problems are added to the list. */
export function readEnvironment(
  variables: Variables,
  problems: ConfigProblem[],
): EnvironmentSettings {
  const flag = (name: string): boolean | null => readSwitch(variables, name, problems);
  const forceH1 = flag('MITM_FORCE_H1');
  const preferH2 = flag('MITM_HTTP2');
  if (forceH1 === true && preferH2 === true) {
    const mend = 'set one of them to 0';
    problems.push(
      variableProblem('MITM_FORCE_H1', 'contradicts MITM_HTTP2: both are 1', mend, 'http2'),
    );
  }
  return {
    port: readPort(variables, problems),
    forceHaiku: flag('FORCE_HAIKU_TO_ZAI') ?? false,
    forceH1,
    preferH2,
    headerMode: readHeaderMode(variables, problems),
    zaiModel: readModel(variables, problems),
    backoff: flag('MITM_ENABLE_BACKOFF') ?? false,
    filterChain: flag('MITM_FILTER_CHAIN') ?? false,
    bodyTee: flag('ENABLE_BODY_TEE') ?? false,
    paused: flag('OFFLOAD_PAUSED') ?? false,
  };
}

/**
 * The home: the option, else `LANEKEEPER_HOME`, else `.lanekeeper` in the user's home directory.
 *
 * @param option a path relative to `cwd`, or undefined
 * @param userHome the user's home directory, for `~` and the default
 * @returns an absolute path
 */
export function resolveHome(
  option: string | undefined,
  variables: Variables,
  cwd: string,
  userHome: string,
): string {
  const named = option ?? variables['LANEKEEPER_HOME'] ?? '';
  if (named === '') return join(userHome, HOME_NAME);
  // `.env` is read by no shell, so nobody else expands the tilde there.
  if (named === '~' || named.startsWith('~/')) return join(userHome, named.slice(1));
  return resolve(cwd, named);
}

/** What can stand in a header field: visible ASCII, no space. */
const HEADER_SAFE = /^[\x21-\x7e]+$/;

/**
 * The value of a variable that holds a credential, or null where it is unset or empty.
 *
 * A value that could not travel in a header field is a problem; the value is not shown.
 */
export function readCredential(
  variables: Variables,
  name: string,
  problems: ConfigProblem[],
): string | null {
  const value = variables[name];
  if (value === undefined || value === '') return null;
  if (HEADER_SAFE.test(value)) return value;
  const message = `holds a space or a character that can not stand in a header (${value.length} characters)`;
  problems.push(variableProblem(name, message, 'set it to the key alone, without quotes'));
  return null;
}

function readSwitch(variables: Variables, name: string, problems: ConfigProblem[]): boolean | null {
  const value = variables[name];
  if (value === undefined || value === '') return null;
  if (value === '1') return true;
  if (value === '0') return false;
  problems.push(variableProblem(name, `must be 1 or 0, and is ${shapeOf(value)}`, 'set 1 or 0'));
  return null;
}

function readPort(variables: Variables, problems: ConfigProblem[]): number | null {
  const value = variables['MITM_PORT'];
  if (value === undefined || value === '') return null;
  const port = /^\d{1,5}$/.test(value) ? Number(value) : Number.NaN;
  if (port <= PORT_MAX) return port;
  const message = `must be a port, and is ${shapeOf(value)}`;
  const mend = `set a number from 0 to ${PORT_MAX}; 0 takes any free port`;
  problems.push(variableProblem('MITM_PORT', message, mend, 'listen.port'));
  return null;
}

/** The highest TCP port. */
export const PORT_MAX = 65_535;

function readHeaderMode(variables: Variables, problems: ConfigProblem[]): HeaderMode | null {
  const value = variables['ZAI_HEADER_MODE'];
  if (value === undefined || value === '') return null;
  if (value === 'x-api-key' || value === 'authorization') return value;
  const message = `must be x-api-key or authorization, and is ${shapeOf(value)}`;
  problems.push(variableProblem('ZAI_HEADER_MODE', message, 'set one of the two, or unset it'));
  return null;
}

function readModel(variables: Variables, problems: ConfigProblem[]): string | null {
  const value = variables['ZAI_MODEL'];
  if (value === undefined) return null;
  if (value === '' || MODEL_ID.test(value)) return value;
  const message = `must be a model id of at most 256 visible characters, and is ${shapeOf(value)}`;
  problems.push(variableProblem('ZAI_MODEL', message, 'set an id such as glm-4.5-air'));
  return null;
}

/** A model id goes into a JSON string uncoded, so nothing that JSON escapes is allowed. */
export const MODEL_ID = /^[\x21\x23-\x5b\x5d-\x7e]{1,256}$/;
