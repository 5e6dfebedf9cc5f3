/**
 * The review archive, `bundle/lanekeeper-STAMP.tgz`: what a reader needs to judge a session, and nothing
 * that is nobody's business: no certificate or key, no body samples, no `.env`.
 *
 * Every file is searched for secrets first. One finding, and no archive is written. `MANIFEST.json`, the
 * first file in it, has the SHA-256 of each other.
 */
import { createHash } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import { type FileHandle, lstat, mkdir, open, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGzip } from 'node:zlib';
import { naming } from '../reports/write.ts';
import { SessionError } from './errors.ts';
import { writtenFiles } from './places.ts';
import { createFinder, type KnownSecret } from './secrets/finder.ts';
import { decompressed, type Finding, searchFiles } from './secrets/search.ts';
import { tarEnd, tarHeader, tarPadding } from './tar.ts';

const MANIFEST_VERSION = 1;
const PIECE_BYTES = 256 * 1024;
/** Of what the program wrote: certificates and keys, sockets, body samples, former archives. */
const LEFT_OUT = /(?:^|\/)(?:ca|run|bundle)\/|(?:^|\/)body-samples[^/]*$|\.(?:pem|key)$/;
/** Of what a person wrote: how it was configured, which names variables and no credential. */
const CONFIGURATION = ['lanekeeper.yaml'];

/** A file of the archive. */
export interface BundledFile {
  readonly path: string;
  readonly bytes: number;
  readonly sha256: string;
}

export interface Bundle {
  /** Absolute. */
  readonly path: string;
  readonly files: readonly BundledFile[];
  /** Of the archive itself. */
  readonly bytes: number;
}

/** Secrets stand in what would be archived; it names files and lines. */
export class BundleRefused extends SessionError {
  readonly findings: readonly Finding[];
  constructor(findings: readonly Finding[], found: number) {
    const named = findings.map(({ file, line, what }) => `  ${file}:${line} holds ${what}`);
    const more = found > findings.length ? [`  and ${found - findings.length} more`] : [];
    super(
      [
        'no bundle was written, since secrets stand in the files:',
        ...named,
        ...more,
        '  mend: remove these lines, and find out what wrote them',
      ].join('\n'),
    );
    this.findings = findings;
  }
}

/** A file that is held open, as long as it was when it was looked at; a ledger may grow meanwhile. */
interface Held extends BundledFile {
  readonly handle: FileHandle;
  readonly changed: number;
}

/**
 * Writes the archive.
 *
 * @param now Unix ms
 * @throws BundleRefused; SessionError where there is nothing to archive, or a file changed meanwhile
 */
export async function writeBundle(
  home: string,
  secrets: readonly KnownSecret[],
  now: number,
): Promise<Bundle> {
  const names = await bundledNames(home);
  if (names.length === 0) {
    throw new SessionError(`there is nothing to archive below ${home}: run a drill first`);
  }
  const held: Held[] = [];
  try {
    for (const name of names) held.push(await hold(home, name));
    await refuseSecrets(held, secrets);
    return await write(home, held, now);
  } finally {
    for (const { handle } of held) await handle.close();
  }
}

/** What is searched is what will be archived, to the byte. */
async function refuseSecrets(
  held: readonly Held[],
  secrets: readonly KnownSecret[],
): Promise<void> {
  const searched = held.map(({ path, bytes, handle }) => ({
    name: path,
    open: () => decompressed(path, Readable.from(piecesOf(handle, bytes))),
  }));
  const { findings, found, unread } = await searchFiles(createFinder(secrets), searched);
  if (found > 0) throw new BundleRefused(findings, found);
  for (const { file, reason } of unread) {
    throw new SessionError(`no bundle was written: ${file} can not be searched (${reason})`);
  }
}

async function bundledNames(home: string): Promise<string[]> {
  const written = await writtenFiles(home);
  const names = new Set(written.map(({ name }) => name).filter((name) => !LEFT_OUT.test(name)));
  for (const name of CONFIGURATION)
    if ((await lstat(join(home, name)).catch(() => null))?.isFile()) names.add(name);
  return [...names].sort();
}

async function hold(home: string, name: string): Promise<Held> {
  const handle = await open(join(home, name), 'r');
  const { size, mtimeMs } = await handle.stat();
  const hash = createHash('sha256');
  for await (const piece of piecesOf(handle, size)) hash.update(piece);
  return { path: name, bytes: size, sha256: hash.digest('hex'), handle, changed: mtimeMs / 1_000 };
}

async function write(home: string, held: readonly Held[], now: number): Promise<Bundle> {
  const files = held.map(({ path, bytes, sha256 }) => ({ path, bytes, sha256 }));
  const folder = join(home, 'bundle');
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const stamp = new Date(now).toISOString().replace(/[-:.]/g, '');
  const path = join(folder, `lanekeeper-${stamp}.tgz`);
  const draft = `${path}.${process.pid}`;
  try {
    const out = createWriteStream(draft, { mode: 0o600 });
    await pipeline(Readable.from(archive(held, files, now)), createGzip(), out);
    await rename(draft, path);
    return { path, files, bytes: out.bytesWritten };
  } catch (error) {
    await rm(draft, { force: true });
    throw naming(path, error);
  }
}

async function* archive(
  held: readonly Held[],
  files: readonly BundledFile[],
  now: number,
): AsyncGenerator<Buffer> {
  const made = new Date(now).toISOString();
  const manifest = { version: MANIFEST_VERSION, made, files };
  const text = Buffer.from(`${JSON.stringify(manifest, null, 2)}\n`);
  yield tarHeader({ name: 'MANIFEST.json', bytes: text.length, changed: now / 1_000 });
  yield text;
  yield tarPadding(text.length);
  for (const { path, bytes, sha256, handle, changed } of held) {
    yield tarHeader({ name: path, bytes, changed });
    const hash = createHash('sha256');
    for await (const piece of piecesOf(handle, bytes)) {
      hash.update(piece);
      yield piece;
    }
    if (hash.digest('hex') !== sha256) {
      throw new SessionError(`${path} was changed while it was archived; try again`);
    }
    yield tarPadding(bytes);
  }
  yield tarEnd();
}

/** The first so many bytes of a file. */
async function* piecesOf(handle: FileHandle, bytes: number): AsyncGenerator<Buffer> {
  for (let at = 0; at < bytes; ) {
    const piece = Buffer.alloc(Math.min(PIECE_BYTES, bytes - at));
    const { bytesRead } = await handle.read(piece, 0, piece.length, at);
    if (bytesRead === 0)
      throw new SessionError('a file became shorter while it was archived; try again');
    yield piece.subarray(0, bytesRead);
    at += bytesRead;
  }
}
