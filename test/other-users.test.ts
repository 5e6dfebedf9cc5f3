/**
 * Other users of the same machine: what lies in a home is closed to them, whatever the umask, and what
 * belongs to one of them is never relied on. The second half plays two users, which takes root.
 */
import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  writeFileSync,
} from 'node:fs';
import path from 'node:path';
import { type TestContext, test } from 'node:test';
import { promisify } from 'node:util';
import { openAuthority } from '../src/pki/store.ts';
import { runCommand } from './support/command.ts';
import { tempHome } from './support/home.ts';
import { LAUNCHER, startProxyProcess } from './support/proxy-process.ts';
import { askHaiku } from './support/trust.ts';

const LIMIT = { timeout: 60_000 };
const OTHERS = 0o077;
/** User ids that nobody has to have: the person, and somebody else. */
const PERSON = 64_001;
const STRANGER = 64_002;
const VERSIONS = new URL('../src/cli/versions.ts', import.meta.url).href;

/** Everything below a folder, itself included, that others than its owner may touch. */
function openToOthers(folder: string): string[] {
  const names = readdirSync(folder, { recursive: true }) as string[];
  return ['.', ...names].filter((name) => {
    const found = lstatSync(path.join(folder, name));
    return !found.isSymbolicLink() && (found.mode & OTHERS) !== 0;
  });
}

test(
  'nothing of a home is open to others, even where it was before and under a umask of 0',
  LIMIT,
  async (t) => {
    const umask = process.umask(0);
    t.after(() => void process.umask(umask));
    const proxy = await startProxyProcess(t);
    await askHaiku(proxy);
    await proxy.records(1);
    const during = openToOthers(proxy.home);
    // The trust bundle is for clients to read; the folder around it is closed all the same.
    assert.deepEqual(during.sort(), ['ca/ca-cert.pem']);
    assert.equal(lstatSync(path.join(proxy.home, 'run', 'admin.sock')).mode & 0o777, 0o600);
    await proxy.stop();
    const reported = await runCommand(['summarize'], { home: proxy.home });
    assert.equal(reported.code, 0, reported.stderr);
    const versions = await runCommand(['versions'], { home: proxy.home });
    assert.equal(versions.code, 0, versions.stderr);
    assert.deepEqual(openToOthers(proxy.home).sort(), ['ca/ca-cert.pem']);
  },
);

/** A folder of the person's, in which a home may lie; or why the person can not be played here. */
async function folderOf(t: TestContext): Promise<{ readonly cwd: string } | string> {
  if (process.getuid?.() !== 0) return 'only root can play two users';
  const cwd = await tempHome(t);
  chownSync(cwd, PERSON, PERSON);
  // The checkout or the folder may lie where nobody else may go; root may not be allowed to be another.
  const { code, said } = await asPerson(['env', '1', '--home', path.join(cwd, 'tried')], cwd);
  return code === 0 ? { cwd } : `another user can not run it from here: ${said}`;
}

/** A command as the person runs it. */
async function asPerson(
  args: readonly string[],
  cwd: string,
): Promise<{ code: number | null; said: string }> {
  const child = spawn(LAUNCHER, args, {
    cwd,
    uid: PERSON,
    gid: PERSON,
    env: { PATH: process.env['PATH'] ?? '', HOME: cwd },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let said = '';
  const hear = (text: string): void => {
    said += text;
  };
  child.stdout.setEncoding('utf8').on('data', hear);
  child.stderr.setEncoding('utf8').on('data', hear);
  const code = await new Promise<number | null>((resolve) => {
    child.once('close', resolve);
    child.once('error', (error) => {
      hear(error.message);
      resolve(null);
    });
  });
  return { code, said };
}

test('a home of another user is refused, and nothing is put into it', LIMIT, async (t) => {
  const folder = await folderOf(t);
  if (typeof folder === 'string') return t.skip(folder);
  const { cwd } = folder;
  const home = path.join(cwd, 'home');
  mkdirSync(home);
  chmodSync(home, 0o777);
  chownSync(home, STRANGER, STRANGER);
  for (const args of [['env', '8082'], ['start'], ['run', '--', 'true'], ['ca', 'rotate']]) {
    const { code, said } = await asPerson(
      [...args.slice(0, 1), '--home', home, ...args.slice(1)],
      cwd,
    );
    assert.equal(code, 78, said);
    assert.match(said, /belongs to another user/);
  }
  assert.deepEqual(readdirSync(home), []);
});

test(
  'a home that every user may write into is told of, and no link in it is followed',
  LIMIT,
  async (t) => {
    const home = await tempHome(t);
    const findings = async (): Promise<string> => {
      const { stdout } = await runCommand(['doctor', '--json'], { home });
      return stdout;
    };
    // A group may be that of the person alone, as many systems have it.
    chmodSync(home, 0o775);
    assert.doesNotMatch(await findings(), /every user may write/);
    chmodSync(home, 0o777);
    assert.match(await findings(), /"warn",\s+"message": "every user may write into /);
    const victim = path.join(await tempHome(t), 'victim');
    writeFileSync(victim, 'mine');
    // The name is that of the process: whoever guesses it may have put a link there.
    const script = `process.chdir(${JSON.stringify(home)});
    (await import('node:fs')).symlinkSync(${JSON.stringify(victim)}, 'VERSIONS.json.' + process.pid);
    const { writeVersions } = await import(${JSON.stringify(VERSIONS)});
    await writeVersions(${JSON.stringify(home)}, null);`;
    const args = ['--input-type=module', '--eval', script];
    await promisify(execFile)(process.execPath, args, { env: {} });
    assert.equal(readFileSync(victim, 'utf8'), 'mine');
    assert(lstatSync(path.join(home, 'VERSIONS.json')).isFile());
  },
);

test('an authority of another user is refused, file by file', LIMIT, async (t) => {
  const folder = await folderOf(t);
  if (typeof folder === 'string') return t.skip(folder);
  const { cwd } = folder;
  const home = path.join(cwd, 'home');
  const ca = path.join(home, 'ca');
  await openAuthority(ca, ['api.anthropic.com']);
  const names = ['.', 'ca-cert.pem', 'leaf-cert.pem', 'leaf-key.pem'];
  chownSync(home, PERSON, PERSON);
  for (const name of names) chownSync(path.join(ca, name), PERSON, PERSON);
  const ask = () => asPerson(['env', '--home', home, '8082'], cwd);
  assert.equal((await ask()).code, 0);
  for (const name of names) {
    // A folder that can not be entered, a key that can not be read, say so first.
    if (name === '.') chmodSync(ca, 0o755);
    chownSync(path.join(ca, name), STRANGER, STRANGER);
    const { code, said } = await ask();
    assert.equal(code, 1, `${name}: ${said}`);
    assert.match(said, /belongs to another user, who could change whom clients trust/, name);
    chownSync(path.join(ca, name), PERSON, PERSON);
    chmodSync(ca, 0o700);
  }
  assert.equal((await ask()).code, 0);
});

test('.env and lanekeeper.yaml of another user are refused', LIMIT, async (t) => {
  const folder = await folderOf(t);
  if (typeof folder === 'string') return t.skip(folder);
  const { cwd } = folder;
  for (const [name, text] of [
    ['.env', 'FORCE_HAIKU_TO_ZAI=0\n'],
    ['lanekeeper.yaml', 'http2: follow\n'],
  ] as const) {
    const file = path.join(cwd, name);
    writeFileSync(file, text);
    chownSync(file, STRANGER, STRANGER);
    const { code, said } = await asPerson(['env', '8082'], cwd);
    assert.equal(code, 78, said);
    assert.match(said, /belongs to another user/);
    chownSync(file, PERSON, PERSON);
    assert.equal((await asPerson(['env', '8082'], cwd)).code, 0);
  }
});

test('a control socket in a folder of another user is not spoken to', LIMIT, async (t) => {
  const folder = await folderOf(t);
  if (typeof folder === 'string') return t.skip(folder);
  const { cwd } = folder;
  const home = path.join(cwd, 'home');
  mkdirSync(path.join(home, 'run'), { recursive: true });
  chownSync(home, PERSON, PERSON);
  chownSync(path.join(home, 'run'), STRANGER, STRANGER);
  const { code, said } = await asPerson(['status', '--home', home], cwd);
  assert.equal(code, 1);
  assert.match(said, /belongs to another user/);
});
