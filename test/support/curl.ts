/**
 * curl as a client: with no configuration and no proxy variables of the machine.
 */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';

const CURL_MS_MAX = 30_000;
const version = spawnSync('curl', ['--version'], { encoding: 'utf8' });
const features = version.status === 0 ? version.stdout : '';

/** Why tests with curl can not run here, or false. */
export const skipCurl: string | false = features === '' && 'there is no curl';
/** The same for its HTTP/2. */
export const skipCurlH2: string | false =
  skipCurl || (!/\bHTTP2\b/.test(features) && 'this curl has no HTTP/2');

export interface CurlRun {
  readonly code: number | null;
  readonly stdout: Buffer;
  readonly stderr: string;
}

/** Starts it; it is killed after 30 s. */
export function startCurl(args: readonly string[]): ChildProcess {
  return spawn('curl', ['-q', '-sS', ...args], {
    env: { PATH: process.env['PATH'] ?? '' },
    stdio: ['pipe', 'pipe', 'pipe'],
    timeout: CURL_MS_MAX,
    killSignal: 'SIGKILL',
  });
}

/** Runs it to its end. `input` is its standard input. */
export async function curl(args: readonly string[], input: string | Buffer = ''): Promise<CurlRun> {
  const child = startCurl(args);
  const stdout: Buffer[] = [];
  const stderr: Buffer[] = [];
  child.stdout?.on('data', (piece: Buffer) => stdout.push(piece));
  child.stderr?.on('data', (piece: Buffer) => stderr.push(piece));
  child.stdin?.on('error', () => {});
  child.stdin?.end(input);
  const [code] = await once(child, 'close');
  return {
    code: code as number | null,
    stdout: Buffer.concat(stdout),
    stderr: Buffer.concat(stderr).toString(),
  };
}

/** The heads and the body in what `curl -i` printed. Interim answers and that to CONNECT come first. */
export function splitAnswer(stdout: Buffer): { readonly heads: string[]; readonly body: Buffer } {
  const heads: string[] = [];
  let rest = stdout;
  while (rest.toString('latin1', 0, 5) === 'HTTP/') {
    const end = rest.indexOf('\r\n\r\n');
    heads.push(rest.toString('latin1', 0, end));
    rest = rest.subarray(end + 4);
  }
  return { heads, body: rest };
}
