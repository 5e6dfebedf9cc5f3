/**
 * The ledger read back from arbitrary bytes, and its last line mended: every whole record is found,
 * everything else is counted, nothing that was there is lost, and what is appended can be read.
 */
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { LineFile } from '../../../src/ledger/line-file.ts';
import { LineSplitter, parseRecord } from '../../../src/ledger/lines-reader.ts';
import { readUsage } from '../../../src/ledger/read.ts';
import { lastMember, parseTree } from '../oracles/json-tree.ts';
import { spoilsJsonParse } from '../oracles/v8-fault.ts';
import { scratch } from '../scratch.ts';
import { pieces, type Random, seedsOf, type Target } from '../target.ts';

const RECORD =
  '{"ts":1700000000.123,"rid":"r1","lane":"zai","model":"claude-haiku-5-5","retry":false}';
const APPENDED = '{"ts":1,"rid":"appended"}';
/** Files cost much more than lines: once in so many cases they are read, and mended. */
const READ_ONCE_IN = 16;
const MEND_ONCE_IN = 512;

/** What a line is. */
type Kind = 'record' | 'damaged' | 'empty';

export const ledgerTarget: Target = {
  name: 'ledger',
  oracle:
    'the whole file split plainly, each line by a parser of our own; any split; what is there stays',
  covers: ['src/ledger/lines-reader.ts', 'src/ledger/read.ts', 'src/ledger/handle.ts'],
  seeds: seedsOf(
    `${RECORD}\n${RECORD}\n`,
    `${RECORD}\n${RECORD.slice(0, 40)}`,
    `${RECORD}\n${RECORD}`,
    `\n\n  \n${RECORD}\r\n`,
    '{"ts":"1"}\n[]\nnull\n{"ts":1e999}\n{"ts":-0}\n',
    `\0\0\0\0${RECORD}\n\xff\xfe{}\n`,
  ),
  dictionary: ['\n', '"ts":', '{"ts":1}', '\n{"ts":1}\n', '\0', '\u2028', '\ufeff', '\r', '\u00a0'],
  bytesMax: 2048,
  async check(input, random) {
    if (spoilsJsonParse(input)) return;
    const expected = linesOf(input).map(kindOf);
    const kinds = splitLines(input, random).map((line) => readKind(line));
    assert.deepEqual(kinds, expected, 'a line is taken for another kind');
    const file = path.join(scratch(), 'usage.jsonl');
    const records = count(expected, 'record');
    if (random.once(READ_ONCE_IN)) {
      writeFileSync(file, input);
      await checkFile(file, records, count(expected, 'damaged'));
    }
    if (random.once(MEND_ONCE_IN)) {
      writeFileSync(file, input);
      await checkMended(file, input, expected);
    }
  },
};

function splitLines(input: Buffer, random: Random): (string | null)[] {
  const splitter = new LineSplitter();
  const lines: (string | null)[] = [];
  for (const piece of pieces(input, random)) {
    lines.push(...splitter.push(piece));
    // A reader reads into the same memory again.
    piece.fill(0x20);
  }
  const rest = splitter.end();
  return rest === undefined ? lines : [...lines, rest];
}

/** Lines without their ends; nothing behind the last end is no line. */
function linesOf(input: Buffer): string[] {
  const lines: string[] = [];
  let from = 0;
  for (let at = 0; at <= input.length; at += 1) {
    if (at < input.length && input[at] !== 0x0a) continue;
    if (at < input.length || at > from) lines.push(input.toString('utf8', from, at));
    from = at + 1;
  }
  return lines;
}

function kindOf(line: string): Kind {
  if (line.trim() === '') return 'empty';
  const stamp = lastMember(parseTree(line), 'ts');
  return stamp?.t === 'literal' && /^[-0-9]/.test(stamp.text) ? 'record' : 'damaged';
}

function readKind(line: string | null): Kind {
  const record = parseRecord<{ readonly ts: number }>(line);
  if (record === undefined) return 'empty';
  return record === null ? 'damaged' : 'record';
}

function count(kinds: readonly Kind[], kind: Kind): number {
  return kinds.filter((each) => each === kind).length;
}

async function checkFile(file: string, records: number, damaged: number): Promise<void> {
  const reader = readUsage(file);
  let found = 0;
  for await (const { ts } of reader) {
    assert.equal(typeof ts, 'number', 'a record without its time');
    found += 1;
  }
  assert.deepEqual([found, reader.damaged], [records, damaged], 'a file is read otherwise');
}

/** How the end of a line is written that is no whole value, so that none takes the next for its rest. */
const TORN = '!\n';

/** What has to be written behind the input before a line of its own may follow. */
function missingEnd(input: Buffer): string {
  if (input.length === 0 || input.at(-1) === 0x0a) return '';
  const last = parseTree(linesOf(input).at(-1) ?? '');
  return last?.t === 'object' || last?.t === 'array' ? '\n' : TORN;
}

/** Opened to be written on: what was there stays, a line that was not ended is, then ours follows. */
async function checkMended(file: string, input: Buffer, kinds: readonly Kind[]): Promise<void> {
  const faults: string[] = [];
  const line = new LineFile({
    path: file,
    bytesMax: 1 << 20,
    filesMax: 1,
    queueMax: 1 << 20,
    onFault: (message) => faults.push(message),
  });
  line.append(APPENDED);
  await line.close();
  assert.deepEqual(faults, [], 'the ledger can not be written');
  const end = missingEnd(input);
  const expected = Buffer.concat([input, Buffer.from(`${end}${APPENDED}\n`)]);
  assert.deepEqual(readFileSync(file), expected, 'the ledger is mended otherwise');
  // White space that was not ended is marked too, and counts from then on.
  const marked = end === TORN && kinds.at(-1) === 'empty' ? 1 : 0;
  await checkFile(file, count(kinds, 'record') + 1, count(kinds, 'damaged') + marked);
}
