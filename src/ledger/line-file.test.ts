import { strict as assert } from 'node:assert';
import { spawnSync } from 'node:child_process';
import {
  appendFileSync,
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { setTimeout as wait } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { linesOf, temporaryDirectory } from './fixtures.test.ts';
import { LineFile, type LineFileOptions } from './line-file.ts';

interface Opened {
  readonly file: LineFile;
  readonly path: string;
  readonly faults: string[];
}

function openIn(directory: string, changes: Partial<LineFileOptions> = {}): Opened {
  const faults: string[] = [];
  const path = changes.path ?? join(directory, 'logs', 'usage.jsonl');
  const file = new LineFile({
    path,
    bytesMax: 1_000_000,
    filesMax: 20,
    queueMax: 1_000_000,
    // Every write looks first, so that a test need not wait for the look to be due.
    checkMs: 0,
    onFault: (message) => faults.push(message),
    ...changes,
  });
  return { file, path, faults };
}

function numbered(count: number): string[] {
  return Array.from({ length: count }, (_, index) => JSON.stringify({ ts: 1, index }));
}

function appendAll(file: LineFile, lines: readonly string[]): void {
  for (const line of lines) file.append(line);
}

function allLines(path: string): string[] {
  const directory = join(path, '..');
  return readdirSync(directory)
    .filter((name) => name.endsWith('.jsonl'))
    .flatMap((name) => linesOf(join(directory, name)));
}

test('lines stand in the file in their order, and the file and its directory are private', async (t: TestContext) => {
  const { file, path } = openIn(temporaryDirectory(t));
  appendAll(file, numbered(1_000));
  await file.close();
  assert.deepEqual(linesOf(path), numbered(1_000));
  assert.equal(statSync(path).mode & 0o777, 0o600);
  assert.equal(statSync(join(path, '..')).mode & 0o777, 0o700);
  assert.deepEqual(file.stats(), { path, written: 1_000, dropped: 0, fault: null });
});

test('a file and a directory that others could read are made private', async (t) => {
  const directory = temporaryDirectory(t);
  const { file, path } = openIn(directory);
  mkdirSync(join(directory, 'logs'));
  chmodSync(join(directory, 'logs'), 0o755);
  writeFileSync(path, '', { mode: 0o644 });
  file.start();
  await file.close();
  assert.equal(statSync(path).mode & 0o777, 0o600);
  assert.equal(statSync(join(directory, 'logs')).mode & 0o777, 0o700);
});

test('lines beyond the queue are dropped and counted, the others are written', async (t) => {
  const { file, path } = openIn(temporaryDirectory(t), { queueMax: 100 });
  appendAll(file, ['a'.repeat(49), 'b'.repeat(49), 'c']);
  await file.flush();
  assert.equal(file.stats().dropped, 1);
  file.append('d');
  await file.close();
  assert.deepEqual(linesOf(path), ['a'.repeat(49), 'b'.repeat(49), 'd']);
});

test('after closing, lines are counted as dropped and nothing is written', async (t) => {
  const { file, path } = openIn(temporaryDirectory(t));
  file.append('a');
  await file.close();
  await file.close();
  file.append('b');
  file.reopen();
  file.closeSync();
  assert.deepEqual(linesOf(path), ['a']);
  assert.deepEqual([file.stats().written, file.stats().dropped], [1, 1]);
});

test('closing at once writes what waits, whether or not the file is open yet', async (t) => {
  const fresh = openIn(temporaryDirectory(t));
  appendAll(fresh.file, numbered(50));
  fresh.file.closeSync();
  assert.deepEqual(linesOf(fresh.path), numbered(50));

  const running = openIn(temporaryDirectory(t));
  running.file.append('first');
  await running.file.flush();
  appendAll(running.file, numbered(50));
  running.file.closeSync();
  // What was handed to the system before is written by the system.
  await running.file.flush();
  assert.deepEqual(linesOf(running.path).sort(), ['first', ...numbered(50)].sort());
  assert.equal(running.file.stats().written, 51);
});

test('a full disk is reported once, costs no line, and is over when there is room again', async (t) => {
  const directory = temporaryDirectory(t);
  mkdirSync(join(directory, 'logs'));
  const { file, path, faults } = openIn(directory);
  symlinkSync('/dev/full', path);
  file.append('a');
  await file.flush();
  file.append('b');
  await file.flush();
  assert.equal(faults.length, 1);
  assert.match(faults[0] ?? '', /ENOSPC/);
  assert.match(file.stats().fault ?? '', /ENOSPC/);
  assert.equal(file.stats().written, 0);

  rmSync(path);
  await file.flush();
  assert.deepEqual(linesOf(path), ['a', 'b']);
  assert.deepEqual(file.stats(), { path, written: 2, dropped: 0, fault: null });

  rmSync(path);
  symlinkSync('/dev/full', path);
  file.append('c');
  await file.close();
  assert.equal(faults.length, 3);
  assert.match(faults[2] ?? '', /usage\.jsonl could not be written to its end; lines lost: 3$/);
  assert.equal(file.stats().dropped, 3);
  assert.equal(statSync('/dev/full').mode & 0o777, 0o666, 'a device keeps its mode');
});

test('while the disk is full the queue stays within its bound', async (t) => {
  const directory = temporaryDirectory(t);
  mkdirSync(join(directory, 'logs'));
  const { file, path, faults } = openIn(directory, { queueMax: 1_000, checkMs: 60_000 });
  symlinkSync('/dev/full', path);
  appendAll(file, numbered(1_000));
  await file.flush();
  const { dropped } = file.stats();
  assert.ok(dropped > 900 && dropped < 1_000);
  await file.close();
  assert.equal(file.stats().dropped, 1_000);
  assert.equal(faults.length, 2);
  assert.match(faults[1] ?? '', /lines lost: 1000$/);
});

test('a directory that can not be made is reported once and tried again', async (t) => {
  const directory = temporaryDirectory(t);
  const { file, path, faults } = openIn(directory);
  writeFileSync(join(directory, 'logs'), 'a file where the directory should be');
  file.append('a');
  await file.flush();
  file.append('b');
  await file.flush();
  assert.equal(faults.length, 1);
  rmSync(join(directory, 'logs'));
  await file.flush();
  assert.deepEqual(linesOf(path), ['a', 'b']);
  await file.close();
});

test('the file is tried again without a further line', async (t) => {
  const directory = temporaryDirectory(t);
  mkdirSync(join(directory, 'logs'));
  const { promise: failed, resolve } = Promise.withResolvers<void>();
  const { file, path } = openIn(directory, { checkMs: 5, onFault: () => resolve() });
  symlinkSync('/dev/full', path);
  file.append('a');
  await failed;
  rmSync(path);
  while (!existsSync(path) || readFileSync(path, 'utf8') === '') {
    await new Promise((next) => setImmediate(next));
  }
  assert.deepEqual(linesOf(path), ['a']);
  await file.close();
});

test('closing at once with a full disk counts what is lost and does not throw', async (t) => {
  const directory = temporaryDirectory(t);
  mkdirSync(join(directory, 'logs'));
  const { file, path } = openIn(directory);
  symlinkSync('/dev/full', path);
  appendAll(file, ['a', 'b']);
  file.closeSync();
  assert.equal(file.stats().dropped, 2);
  await file.flush();
});

test('a fault report that throws does not stop the file', async (t) => {
  const directory = temporaryDirectory(t);
  mkdirSync(join(directory, 'logs'));
  const onFault = (): never => {
    throw new Error('the log is broken too');
  };
  const { file, path } = openIn(directory, { onFault });
  symlinkSync('/dev/full', path);
  file.append('a');
  await file.flush();
  rmSync(path);
  await file.close();
  assert.deepEqual(linesOf(path), ['a']);
});

for (const how of ['removed', 'moved'] as const) {
  test(`a file that is ${how} under the ledger is made anew, and no line is lost`, async (t) => {
    const { file, path } = openIn(temporaryDirectory(t));
    file.append('a');
    await file.flush();
    if (how === 'removed') rmSync(path);
    else renameSync(path, `${path}.old`);
    file.append('b');
    await file.close();
    // What was written a moment before may have gone nowhere, so it is written again.
    assert.deepEqual(linesOf(path), how === 'removed' ? ['a', 'b'] : ['b']);
    if (how === 'moved') assert.deepEqual(linesOf(`${path}.old`), ['a']);
  });
}

test('a file that is removed comes back with its last lines, also where no other follows', async (t) => {
  const { file, path } = openIn(temporaryDirectory(t), { checkMs: 20 });
  appendAll(file, numbered(3));
  await file.flush();
  rmSync(join(path, '..'), { recursive: true });
  while (!existsSync(path) || linesOf(path).length < 3) await wait(5);
  await file.close();
  assert.deepEqual(linesOf(path), numbered(3));
  assert.equal(file.stats().written, 3);
});

test('a file that is put in the place of another is ended where it was torn', async (t) => {
  const { file, path } = openIn(temporaryDirectory(t));
  file.append('{"ts":1}');
  await file.flush();
  rmSync(path);
  writeFileSync(path, '{"ts":0}\n{"ts":5');
  file.reopen();
  file.append('{"ts":2}');
  await file.close();
  assert.deepEqual(linesOf(path), ['{"ts":0}', '{"ts":5!', '{"ts":1}', '{"ts":2}']);
});

test('asked to reopen, the file is let go of at once', async (t) => {
  const { file, path } = openIn(temporaryDirectory(t), { checkMs: 60_000 });
  file.append('a');
  await file.flush();
  renameSync(path, `${path}.old`);
  file.reopen();
  file.append('b');
  await file.close();
  assert.deepEqual(linesOf(path), ['b']);
  assert.deepEqual(linesOf(`${path}.old`), ['a']);
});

test('the file is rotated at its size, and the oldest files go', async (t) => {
  const { file, path } = openIn(temporaryDirectory(t), { bytesMax: 20, filesMax: 3 });
  for (const line of numbered(10)) {
    file.append(line);
    await file.flush();
  }
  await file.close();
  const names = readdirSync(join(path, '..')).sort();
  assert.equal(names.length, 4);
  assert.equal(names.at(-1), 'usage.jsonl');
  for (const name of names.slice(0, -1)) assert.match(name, /^usage-\d{8}T\d{9}Z\.jsonl$/);
  const kept = names.flatMap((name) => linesOf(join(path, '..', name)));
  assert.deepEqual(kept, numbered(10).slice(-kept.length));
});

test('a file that is found full is rotated before the first line', async (t) => {
  const { file, path } = openIn(temporaryDirectory(t), { bytesMax: 100 });
  mkdirSync(join(path, '..'));
  writeFileSync(path, `${'x'.repeat(200)}\n`);
  // The line is there before the file is open.
  appendAll(file, numbered(1));
  await file.close();
  assert.deepEqual(linesOf(path), numbered(1));
  assert.equal(readdirSync(join(path, '..')).length, 2);
});

test('two writers that rotate the same file lose no line and tear none', async (t) => {
  const directory = temporaryDirectory(t);
  const options = { bytesMax: 2_000, filesMax: 1_000 };
  const writers = [openIn(directory, options), openIn(directory, options)];
  const lines = numbered(400);
  for (let at = 0; at < lines.length; at += 10) {
    for (const [index, { file }] of writers.entries()) {
      appendAll(
        file,
        lines.slice(at, at + 10).map((line) => `${index}${line}`),
      );
    }
    await Promise.all(writers.map(({ file }) => file.flush()));
  }
  await Promise.all(writers.map(({ file }) => file.close()));
  const expected = [0, 1].flatMap((index) => lines.map((line) => `${index}${line}`));
  assert.deepEqual(allLines(writers[0]?.path ?? '').sort(), expected.sort());
  for (const { faults } of writers) assert.deepEqual(faults, []);
});

test('half a line at the end of the file is kept as a line of its own and reported', async (t) => {
  const directory = temporaryDirectory(t);
  mkdirSync(join(directory, 'logs'));
  const torn: number[] = [];
  const { file, path } = openIn(directory, { onTorn: (bytes) => torn.push(bytes) });
  writeFileSync(path, '{"ts":1}\n{"ts":2,"ri');
  file.append('{"ts":3}');
  await file.close();
  assert.deepEqual(linesOf(path), ['{"ts":1}', '{"ts":2,"ri!', '{"ts":3}']);
  assert.deepEqual(torn, [11]);
});

test('a last line that another process is still writing is left to it', async (t) => {
  const directory = temporaryDirectory(t);
  const torn: number[] = [];
  const { file, path } = openIn(directory, { onTorn: (bytes) => torn.push(bytes) });
  mkdirSync(join(directory, 'logs'));
  writeFileSync(path, '{"ts":1');
  file.start();
  // Grows at least once between two looks, and is then whole.
  appendFileSync(path, ',"rid":');
  const rest = setTimeout(() => appendFileSync(path, '"a"}\n'), 20);
  await file.flush();
  file.append('{"ts":2}');
  await file.close();
  clearTimeout(rest);
  assert.deepEqual(linesOf(path), ['{"ts":1,"rid":"a"}', '{"ts":2}']);
  assert.deepEqual(torn, []);
});

test('a whole last line that lacks its newline is a record again', async (t) => {
  const directory = temporaryDirectory(t);
  mkdirSync(join(directory, 'logs'));
  const torn: number[] = [];
  const { file, path } = openIn(directory, { onTorn: (bytes) => torn.push(bytes) });
  writeFileSync(path, '{"ts":2}');
  file.append('{"ts":3}');
  await file.close();
  assert.deepEqual(linesOf(path), ['{"ts":2}', '{"ts":3}']);
  assert.deepEqual(torn, []);
});

test('a write that the disk takes in part is finished elsewhere without losing a line', (t) => {
  const directory = temporaryDirectory(t);
  const program = `
    import { renameSync } from 'node:fs';
    import { LineFile } from ${JSON.stringify(new URL('./line-file.ts', import.meta.url).href)};
    const path = process.argv[1];
    const faults = [];
    const file = new LineFile({
      path, bytesMax: 1e6, filesMax: 5, queueMax: 1e6, onFault: (message) => faults.push(message),
    });
    for (let i = 0; i < 10; i += 1) file.append(JSON.stringify({ ts: i, pad: 'x'.repeat(600) }));
    await file.flush();
    renameSync(path, path + '.full');
    await file.close();
    console.log(JSON.stringify({ ...file.stats(), faults }));
  `;
  const path = join(directory, 'usage.jsonl');
  // 8 blocks of 512 bytes; without the trap the system would end the process.
  const limited = `trap '' XFSZ; ulimit -f 8; exec "$0" --input-type=module -e "$1" "$2"`;
  const ran = spawnSync('sh', ['-c', limited, process.execPath, program, path], {
    encoding: 'utf8',
    cwd: fileURLToPath(new URL('.', import.meta.url)),
  });
  assert.equal(ran.status, 0, ran.stderr);
  const stats = JSON.parse(ran.stdout) as { written: number; dropped: number; faults: string[] };
  assert.deepEqual([stats.written, stats.dropped, stats.faults.length], [10, 0, 1]);
  const stamps = [...linesOf(`${path}.full`), ...linesOf(path)].flatMap((line) =>
    line.endsWith('}') ? [(JSON.parse(line) as { ts: number }).ts] : [],
  );
  assert.deepEqual(stamps, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
});
