/**
 * Claude Code as the client of a drill: where it is found, what environment it gets, and that none of
 * it is left when the drill is over.
 *
 * Towards a twin it has nothing of this machine's environment but `PATH`, a HOME of its own and a
 * credential that is nobody's. Over real lanes it has the user's environment with what `lanekeeper run`
 * changes in it, since the user pays with their own login.
 */
import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';

import { AGENT_NOTES_MAX, DRILL_TURNS_MAX } from '../../core/limits.ts';
import { type ClaudeModel, createClaudeClient } from '../../drills/claude-client.ts';
import { API_HOST } from '../../drills/request-text.ts';
import type { Access, DrillClient } from '../../drills/types.ts';
import { combineTrust } from '../../pki/trust.ts';
import { clientEnvironment, type Variables, withChanges } from '../environment.ts';
import { CliError } from '../failure.ts';
import { say } from '../output.ts';
import { findOnPath, isExecutableFile } from '../programs.ts';
import { startGuard } from './guard.ts';

/** What the command line says of Claude Code. */
export interface ClaudeOptions {
  /** Path of the program; default: `claude` on `PATH`. */
  readonly claude?: string;
  /** Turns of one process. */
  readonly turns?: number;
}

/** Where it is to go. */
export interface ClaudeWay {
  readonly access: Access;
  /** A twin answers. */
  readonly simulated: boolean;
}

/** Makes clients, and clears up after them. */
export interface ClaudeClients {
  make(): DrillClient;
  close(): void;
}

/** The user's own settings, hooks, servers and history have no part in a drill. */
const ARGUMENTS = [
  ...['-p', '--verbose', '--input-format', 'stream-json', '--output-format', 'stream-json'],
  ...['--include-partial-messages', '--no-session-persistence'],
  ...['--safe-mode', '--strict-mcp-config'],
];
/** Nothing but model calls: what these turn off would leave the machine. */
const QUIET = {
  DISABLE_TELEMETRY: '1',
  DISABLE_ERROR_REPORTING: '1',
  DISABLE_AUTOUPDATER: '1',
  CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC: '1',
};
const BYPASS_NAMES = ['NO_PROXY', 'no_proxy'] as const;

/**
 * The program.
 *
 * @throws CliError where there is none
 */
export function findClaude(named: string | undefined): string {
  if (named === undefined) {
    const found = findOnPath('claude');
    if (found !== null) return found;
    throw new CliError(
      '--client claude: there is no claude on PATH; install Claude Code (npm install -g @anthropic-ai/claude-code), or name it with --claude PATH',
    );
  }
  const path = resolve(named);
  if (isExecutableFile(path)) return path;
  throw new CliError(
    `--claude ${named}: not a program that can be run; name the claude executable`,
  );
}

/** Makes ready what its processes need. The caller closes it when all clients are closed. */
export async function prepareClaude(
  program: string,
  options: ClaudeOptions,
  way: ClaudeWay,
): Promise<ClaudeClients> {
  const folder = mkdtempSync(join(tmpdir(), 'lanekeeper-claude-'));
  const guard = startGuard(folder);
  const work = join(folder, 'work');
  const notes = join(work, 'notes.txt');
  mkdirSync(work);
  writeFileSync(notes, 'Keep to the lane.\n');
  const env = await environmentOf(way, folder).catch((error: unknown) => {
    guard.close();
    throw error;
  });
  const start = (model: ClaudeModel): ChildProcessWithoutNullStreams => {
    const args = [...ARGUMENTS, '--session-id', way.access.session, '--model', model];
    // A session of its own: the terminal's signals are for the drill, which ends it in order.
    const child = spawn(program, args, { cwd: work, env, detached: true });
    guard.watch(child);
    return child;
  };
  const settings = {
    start,
    simulated: way.simulated,
    notes,
    turnsMax: options.turns ?? DRILL_TURNS_MAX,
    stallMs: way.access.stallMs,
    tell: teller(),
  };
  return {
    make: () => createClaudeClient(settings),
    close: guard.close,
  };
}

/** Says the first few troubles; the report counts all. */
function teller(): (trouble: string) => void {
  let told = 0;
  return (trouble) => {
    told += 1;
    if (told <= AGENT_NOTES_MAX) say(trouble);
    if (told === AGENT_NOTES_MAX) say('further troubles are counted, not told');
  };
}

async function environmentOf(way: ClaudeWay, folder: string): Promise<Record<string, string>> {
  const { access, simulated } = way;
  const base = simulated ? freshEnvironment(access, folder) : process.env;
  const url = access.url.href.replace(/\/$/, '');
  if (access.via === 'gateway') return gatewayEnvironment(base, access.url);
  const bundle = join(folder, 'proxy-ca.pem');
  writeFileSync(bundle, access.ca ?? '');
  const trust = await combineTrust(folder, bundle, base['NODE_EXTRA_CA_CERTS']);
  const changes = clientEnvironment({ base, url, trust, intercept: [API_HOST] });
  for (const note of changes.notes) say(note);
  return withChanges(base, changes);
}

/** Nothing of this machine but where programs lie. */
function freshEnvironment({ credential }: Access, folder: string): Variables {
  const home = join(folder, 'home');
  mkdirSync(home);
  const [name, value] = credential;
  const token = value.replace(/^Bearer /, '');
  return {
    PATH: process.env['PATH'],
    HOME: home,
    ...(name === 'x-api-key' ? { ANTHROPIC_API_KEY: value } : { CLAUDE_CODE_OAUTH_TOKEN: token }),
    ...QUIET,
  };
}

/** A proxy of the user's own must not be asked for the gateway. */
function gatewayEnvironment(base: Variables, url: URL): Record<string, string> {
  const { origin, hostname, password } = url;
  const set: Record<string, string> = { ANTHROPIC_BASE_URL: origin };
  if (password !== '') {
    const own = base['ANTHROPIC_CUSTOM_HEADERS'];
    const token = `x-lanekeeper-token: ${decodeURIComponent(password)}`;
    set['ANTHROPIC_CUSTOM_HEADERS'] = own === undefined || own === '' ? token : `${own}\n${token}`;
  }
  for (const name of BYPASS_NAMES) {
    const own = base[name];
    set[name] = own === undefined || own === '' ? hostname : `${own},${hostname}`;
  }
  return withChanges(base, { set, unset: [], notes: [] });
}
