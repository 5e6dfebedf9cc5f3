/**
 * Where requests end on an HTTP/1.1 connection, and no more: what an upstream needs that must cost less than
 * the proxy before it. It trusts its peer to be well-formed.
 */

/** Called once for each whole request. */
export type OnRequest = (head: string, bodyBytes: number, body: readonly Buffer[]) => void;

/** @param keep whether bodies are wanted; without, `body` is empty */
export function createRequestReader(onRequest: OnRequest, keep: () => boolean) {
  let pending: Buffer | null = null;
  let head = '';
  let left = 0;
  let total = 0;
  let body: Buffer[] = [];

  const finish = (): void => {
    const whole = body;
    body = [];
    const ended = head;
    head = '';
    onRequest(ended, total, whole);
  };
  const readHead = (data: Buffer): Buffer | null => {
    const all: Buffer = pending === null ? data : Buffer.concat([pending, data]);
    pending = null;
    const end = all.indexOf('\r\n\r\n');
    if (end < 0) {
      pending = all;
      return null;
    }
    head = all.toString('latin1', 0, end + 2);
    total = left = lengthIn(head);
    return all.subarray(end + 4);
  };
  return (data: Buffer): void => {
    let rest: Buffer | null = data;
    while (rest !== null) {
      if (head === '') rest = readHead(rest);
      if (rest === null) return;
      const taken: number = Math.min(left, rest.length);
      if (taken > 0 && keep()) body.push(rest.subarray(0, taken));
      left -= taken;
      rest = taken === rest.length ? null : rest.subarray(taken);
      if (left === 0) finish();
    }
  };
}

/** @throws Error for a request whose body has no length */
function lengthIn(head: string): number {
  const match = /\r\ncontent-length: *(\d+)\r\n/i.exec(head);
  if (match !== null) return Number(match[1]);
  if (/\r\ntransfer-encoding:/i.test(head)) throw new Error('a chunked request is not understood');
  return 0;
}
