/**
 * What the tests of the surroundings share: a proxy process started through another program (a small
 * disk, another user, fewer descriptors, another clock), exchanges with it, and its lines.
 */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { messages } from './faults.ts';
import type { Cleanup } from './home.ts';
import { LAUNCHER, type ProxyProcess } from './proxy-process.ts';
import { type Entrance, exchangeOnce, type Seen } from './raw-exchange.ts';

const SETTLE_MS_MAX = 30_000;
const POLL_MS = 20;

/** A launcher that does this first; `"$@"` are the arguments, `$LAUNCHER` is the program. */
export async function launcherThat(t: Cleanup, lines: string): Promise<string> {
  const folder = await mkdtemp(path.join(tmpdir(), 'lanekeeper-launcher-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  // Others than its owner run it too.
  await chmod(folder, 0o755);
  const file = path.join(folder, 'launcher');
  await writeFile(file, `#!/bin/sh\nLAUNCHER='${LAUNCHER}'\n${lines}\n`);
  await chmod(file, 0o755);
  return file;
}

/** A launcher with a file system of its own, in which these commands of a shell come first; see `insideOf`. */
export function withOwnMounts(t: Cleanup, commands: readonly string[]): Promise<string> {
  const script = [...commands, 'exec "$0" "$@"'].join('\n');
  return launcherThat(t, `exec ${UNSHARE.join(' ')} sh -c '${script}' "$LAUNCHER" "$@"`);
}

/** A launcher in whose eyes the home is a disk of its own of that size. */
export function onSmallDisk(t: Cleanup, size: string): Promise<string> {
  return withOwnMounts(t, [
    'keep=$(mktemp -d) && cp -a "$HOME/." "$keep"',
    `mount -t tmpfs -o size=${size},mode=700 tmpfs "$HOME" && cp -a "$keep/." "$HOME"`,
    'rm -rf "$keep" && cd "$HOME"',
  ]);
}

const UNSHARE =
  process.getuid?.() === 0
    ? ['unshare', '--mount']
    : ['unshare', '--user', '--map-root-user', '--mount'];

/** A launcher for which modes hold, which root does not mind. */
export function withoutPrivileges(t: Cleanup): Promise<string> {
  const drop = process.getuid?.() === 0 ? 'setpriv --bounding-set=-all --inh-caps=-all' : '';
  return launcherThat(t, `exec ${drop} "$LAUNCHER" "$@"`);
}

/** Why there can be no disks of our own here, or false: for `skip`. */
export function withoutDisks(): string | false {
  const [program = '', ...args] = UNSHARE;
  const tried = spawnSync(program, [...args, 'mount', '-t', 'tmpfs', 'tmpfs', tmpdir()]);
  return tried.status === 0 ? false : 'this machine lets us mount nothing';
}

/** A path as the proxy sees it, for us. */
export function insideOf({ child }: Pick<ProxyProcess, 'child'>, file: string): string {
  return `/proc/${child.pid}/root${file}`;
}

/** One streamed exchange of its own connection, by the default lane. */
export function exchange(
  proxy: Entrance,
  model = 'claude-sonnet-5-5',
  content = 'hi',
): Promise<Seen> {
  const { fields, body } = messages(model, 'fake-key-of-surroundings');
  const asked = { ...JSON.parse(String(body)), messages: [{ role: 'user', content }] };
  const request = { body: Buffer.from(JSON.stringify(asked)), ...(fields && { fields }) };
  return exchangeOnce(proxy, '', 'gateway', request);
}

/** So many of them, one after the other, whole. */
export async function wholeExchanges(proxy: Entrance, count: number): Promise<void> {
  for (let i = 0; i < count; i += 1) {
    const seen = await exchange(proxy);
    assert.deepEqual([seen.status, seen.whole], [200, true], seen.body.toString());
  }
}

/** Everything that a proxy says on stderr from now on. */
export function hear(proxy: Pick<ProxyProcess, 'child'>): () => string {
  let heard = '';
  proxy.child.stderr?.on('data', (text: string) => {
    heard += text;
  });
  return () => heard;
}

/** Waits, within generous bounds, for what is to come. */
export async function until(what: string, holds: () => boolean | Promise<boolean>): Promise<void> {
  const deadline = performance.now() + SETTLE_MS_MAX;
  while (!(await holds())) {
    assert(performance.now() < deadline, `waited in vain: ${what}`);
    await wait(POLL_MS);
  }
}

/** The lines of a file that are JSON, and how many are not; none where there is no file. */
export function linesOf(file: string): { readonly whole: Json[]; readonly damaged: number } {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch {
    return { whole: [], damaged: 0 };
  }
  const whole: Json[] = [];
  let damaged = 0;
  for (const line of text.split('\n').slice(0, -1)) {
    try {
      whole.push(JSON.parse(line) as Json);
    } catch {
      damaged += 1;
    }
  }
  return { whole, damaged };
}

export type Json = Readonly<Record<string, unknown>>;

/** Waits until a process started by us has ended. */
export async function ended({ child }: Pick<ProxyProcess, 'child'>): Promise<void> {
  if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
}
