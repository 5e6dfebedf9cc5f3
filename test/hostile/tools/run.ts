/**
 * `make hostile-tools`: varnishtest and slowhttptest of Debian against a proxy of their own, the twin
 * behind it. Takes about a minute. Exit code 1 where a script fails, an attack gets the proxy down, or
 * it holds anything afterwards.
 */
import { spawn } from 'node:child_process';
import { readdirSync } from 'node:fs';
import path from 'node:path';
import { readStatus } from '../../../src/admin/client.ts';
import type { Cleanup } from '../../support/home.ts';
import { type ProxyProcess, startProxyProcess } from '../../support/proxy-process.ts';
import { until } from '../settle.ts';

const ATTACK_S = 20;

interface Attack {
  readonly name: string;
  readonly args: readonly string[];
}

const SIZE = ['-c', '400', '-r', '200', '-l', String(ATTACK_S), '-i', '2', '-p', '5'];

const ATTACKS: readonly Attack[] = [
  { name: 'slow headers', args: ['-H', ...SIZE, '-x', '24'] },
  { name: 'slow body', args: ['-B', ...SIZE, '-s', '8192', '-x', '10'] },
  {
    name: 'slow read',
    args: ['-X', ...SIZE, '-w', '1', '-y', '8', '-n', '1', '-z', '8', '-k', '3'],
  },
];

interface Ran {
  readonly code: number | null;
  readonly output: string;
}

/** Runs a tool to its end; null where it is not installed. */
function run(program: string, args: readonly string[], home: string): Promise<Ran | null> {
  return new Promise((resolve) => {
    const child = spawn(program, args, {
      cwd: home,
      env: { HOME: home, TMPDIR: home, PATH: '/usr/local/bin:/usr/bin:/bin' },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let output = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      output += text;
    });
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      output += text;
    });
    child.once('error', () => resolve(null));
    child.once('close', (code) => resolve({ code, output }));
  });
}

async function script(name: string, proxy: ProxyProcess): Promise<boolean> {
  const file = path.join(import.meta.dirname, name);
  const macros = [`-Dproxy=127.0.0.1:${proxy.port}`, `-Dport=${proxy.port}`];
  const ran = await run('varnishtest', [...macros, file], proxy.home);
  if (ran === null) throw new Error('varnishtest is not installed: apt-get install varnish');
  console.log(`varnishtest ${name}: ${ran.code === 0 ? 'passed' : `failed\n${ran.output}`}`);
  return ran.code === 0;
}

/** The last report of slowhttptest, without its colours. */
function reportOf(output: string): string {
  const plain = output.replace(/\x1b\[[0-9;]*[A-Za-z]/g, '');
  const wanted = /^(?:initializing|pending|connected|error|closed|service available):? *(.*)$/gim;
  const last = new Map<string, string>();
  for (const [line] of plain.matchAll(wanted)) {
    const [name = '', value = ''] = line.split(/: */);
    last.set(name.toLowerCase(), value.trim());
  }
  const exit = /Exit status: *(.*)/.exec(plain)?.[1]?.trim();
  const facts = [...last].map(([name, value]) => `${name} ${value}`);
  return [...facts, ...(exit === undefined ? [] : [`exit: ${exit}`])].join(', ');
}

async function attack({ name, args }: Attack, proxy: ProxyProcess): Promise<boolean> {
  const url = `http://127.0.0.1:${proxy.port}/v1/messages`;
  const ran = await run('slowhttptest', [...args, '-u', url], proxy.home);
  if (ran === null) throw new Error('slowhttptest is not installed: apt-get install slowhttptest');
  const report = reportOf(ran.output);
  console.log(`slowhttptest ${name}, ${ATTACK_S} s, 400 connections: ${report}`);
  const status = await until(
    () => readStatus(proxy.home),
    ({ connections, exchanges }) => connections === 0 && exchanges.open === 0,
    'what is open afterwards',
  );
  console.log(
    `  afterwards: ${status.connections} connections, ${status.workers_lost} workers lost`,
  );
  return status.workers_lost === 0 && /service available yes/i.test(report);
}

const cleanups: (() => Promise<void> | void)[] = [];
const context: Cleanup = { after: (undo) => void cleanups.push(undo) };
try {
  const proxy = await startProxyProcess(context);
  let isGood = true;
  for (const name of readdirSync(import.meta.dirname).filter((file) => file.endsWith('.vtc'))) {
    isGood = (await script(name, proxy)) && isGood;
  }
  for (const each of ATTACKS) isGood = (await attack(each, proxy)) && isGood;
  process.exitCode = isGood ? 0 : 1;
} finally {
  for (const undo of cleanups) await undo();
}
