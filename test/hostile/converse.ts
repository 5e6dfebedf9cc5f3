/**
 * One conversation with a proxy: bytes out, whatever comes back, and how it ended.
 */
import { setTimeout as wait } from 'node:timers/promises';
import type { RawConnection } from '../support/raw-client.ts';

/** What came back. */
export interface Conversation {
  /** Statuses of the final answers, in their order. */
  readonly statuses: readonly number[];
  /** The last answer's `x-lanekeeper-error`, or null. */
  readonly code: string | null;
  /** The peer ended the connection. */
  readonly closed: boolean;
  readonly bytes: Buffer;
}

export interface Patience {
  /** Answers after which nothing more is waited for, unless the end is. */
  readonly answers: number;
  /** The end of the connection is waited for. */
  readonly end: boolean;
  /** Longest wait, ms; what came until then is what came. */
  readonly ms: number;
}

/** Writes the bytes and waits as told. The connection is left as it is. */
export async function converse(
  connection: RawConnection,
  bytes: string,
  fin: boolean,
  patience: Patience,
): Promise<Conversation> {
  const { reader, socket } = connection;
  // Whoever refuses may close while the rest is still being written.
  connection.send(Buffer.from(bytes, 'latin1')).catch(() => {});
  if (fin) socket.end();
  const pieces: Buffer[] = [];
  const late = new AbortController();
  const timeout = wait(patience.ms, 'late' as const, { signal: late.signal }).catch(() => null);
  let closed = false;
  for (;;) {
    const all = Buffer.concat(pieces);
    const answers = readAnswers(all);
    const isEnough = !patience.end && answers.length >= patience.answers;
    const piece = closed || isEnough ? null : await Promise.race([reader.some(), timeout]);
    if (Buffer.isBuffer(piece)) {
      pieces.push(piece);
      continue;
    }
    if (piece === null && !closed && !isEnough) {
      closed = true;
      continue;
    }
    late.abort();
    const code = answers.at(-1)?.fields.get('x-lanekeeper-error') ?? null;
    return { statuses: answers.map(({ status }) => status), code, closed, bytes: all };
  }
}

interface Answer {
  readonly status: number;
  readonly fields: ReadonlyMap<string, string>;
}

/** The final answers whose end has come. */
function readAnswers(bytes: Buffer): Answer[] {
  const text = bytes.toString('latin1');
  const answers: Answer[] = [];
  let at = 0;
  for (;;) {
    const end = text.indexOf('\r\n\r\n', at);
    if (end < 0) return answers;
    const [start = '', ...lines] = text.slice(at, end).split('\r\n');
    const status = Number(start.split(' ')[1]);
    at = end + 4;
    if (status >= 100 && status < 200) continue;
    const fields = new Map(
      lines.map((line) => {
        const colon = line.indexOf(':');
        return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()] as const;
      }),
    );
    if (status !== 204 && status !== 304) at = endOfBody(text, at, fields);
    if (at < 0 || at > text.length) return answers;
    answers.push({ status, fields });
  }
}

function endOfBody(text: string, from: number, fields: ReadonlyMap<string, string>): number {
  if (fields.has('transfer-encoding')) {
    const last = text.indexOf('0\r\n\r\n', from);
    return last < 0 ? -1 : last + 5;
  }
  const length = fields.get('content-length');
  return length === undefined ? text.length : from + Number(length);
}
