/**
 * Frames of HTTP/2 for tests (RFC 9113 section 4.1 and 6): written as bytes, valid or not, and read back.
 * Owes nothing to node:http2, so that what the program sends and takes is judged by another reader.
 */

/** Frame types (section 6). */
export const TYPE = {
  DATA: 0,
  HEADERS: 1,
  PRIORITY: 2,
  RST_STREAM: 3,
  SETTINGS: 4,
  PUSH_PROMISE: 5,
  PING: 6,
  GOAWAY: 7,
  WINDOW_UPDATE: 8,
  CONTINUATION: 9,
} as const;

/** Flags (section 6); END_STREAM and ACK share a bit. */
export const FLAG = {
  END_STREAM: 1,
  ACK: 1,
  END_HEADERS: 4,
  PADDED: 8,
  PRIORITY: 32,
} as const;

/** Parameters of SETTINGS (section 6.5.2). */
export const SETTING = {
  HEADER_TABLE_SIZE: 1,
  ENABLE_PUSH: 2,
  MAX_CONCURRENT_STREAMS: 3,
  INITIAL_WINDOW_SIZE: 4,
  MAX_FRAME_SIZE: 5,
  MAX_HEADER_LIST_SIZE: 6,
} as const;

/** Error codes by number (section 7). */
export const CODES: readonly string[] = [
  'NO_ERROR',
  'PROTOCOL_ERROR',
  'INTERNAL_ERROR',
  'FLOW_CONTROL_ERROR',
  'SETTINGS_TIMEOUT',
  'STREAM_CLOSED',
  'FRAME_SIZE_ERROR',
  'REFUSED_STREAM',
  'CANCEL',
  'COMPRESSION_ERROR',
  'CONNECT_ERROR',
  'ENHANCE_YOUR_CALM',
  'INADEQUATE_SECURITY',
  'HTTP_1_1_REQUIRED',
];

/** The connection preface (section 3.4). */
export const PREFACE: Buffer = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 'latin1');

const HEAD_BYTES = 9;

export interface Frame {
  readonly type: number;
  readonly flags: number;
  readonly stream: number;
  readonly payload: Buffer;
}

/** A frame; the length is that of the payload unless told otherwise. */
export function frame(
  type: number,
  flags: number,
  stream: number,
  payload: Buffer = Buffer.alloc(0),
  length: number = payload.length,
): Buffer {
  const head = Buffer.alloc(HEAD_BYTES);
  head.writeUIntBE(length, 0, 3);
  head.writeUInt8(type, 3);
  head.writeUInt8(flags, 4);
  // The reserved bit may be set on purpose.
  head.writeUInt32BE(stream >>> 0, 5);
  return Buffer.concat([head, payload]);
}

export function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value >>> 0);
  return bytes;
}

/** DATA, ending the stream unless told otherwise. */
export function data(stream: number, payload: Buffer | string, flags: number = FLAG.END_STREAM) {
  return frame(TYPE.DATA, flags, stream, Buffer.from(payload));
}

/** HEADERS: by default the whole block, and the end of the stream. */
export function headers(
  stream: number,
  block: Buffer,
  flags: number = FLAG.END_HEADERS | FLAG.END_STREAM,
): Buffer {
  return frame(TYPE.HEADERS, flags, stream, block);
}

/** HEADERS that leave the stream open for DATA. */
export function openHeaders(stream: number, block: Buffer): Buffer {
  return headers(stream, block, FLAG.END_HEADERS);
}

export function continuation(stream: number, block: Buffer, flags: number = FLAG.END_HEADERS) {
  return frame(TYPE.CONTINUATION, flags, stream, block);
}

export function settings(...pairs: readonly (readonly [id: number, value: number])[]): Buffer {
  const payload = pairs.map(([id, value]) => {
    const bytes = Buffer.alloc(6);
    bytes.writeUInt16BE(id);
    bytes.writeUInt32BE(value >>> 0, 2);
    return bytes;
  });
  return frame(TYPE.SETTINGS, 0, 0, Buffer.concat(payload));
}

export function settingsAck(): Buffer {
  return frame(TYPE.SETTINGS, FLAG.ACK, 0);
}

export function ping(opaque: string, flags = 0): Buffer {
  return frame(TYPE.PING, flags, 0, Buffer.from(opaque.padEnd(8, '.').slice(0, 8), 'latin1'));
}

export function rst(stream: number, code: number): Buffer {
  return frame(TYPE.RST_STREAM, 0, stream, uint32(code));
}

export function goaway(lastStream: number, code: number, debug = ''): Buffer {
  const payload = Buffer.concat([uint32(lastStream), uint32(code), Buffer.from(debug)]);
  return frame(TYPE.GOAWAY, 0, 0, payload);
}

export function windowUpdate(stream: number, increment: number): Buffer {
  return frame(TYPE.WINDOW_UPDATE, 0, stream, uint32(increment));
}

/** Deprecated, still to be parsed (section 5.3.2). */
export function priority(stream: number, dependsOn: number, weight = 15): Buffer {
  return frame(TYPE.PRIORITY, 0, stream, priorityFields(dependsOn, weight));
}

export function priorityFields(dependsOn: number, weight = 15): Buffer {
  return Buffer.concat([uint32(dependsOn), Buffer.from([weight])]);
}

export function codeName(code: number): string {
  return CODES[code] ?? `code ${code}`;
}

/** Takes bytes in any pieces and gives whole frames. */
export class FrameReader {
  #rest: Buffer = Buffer.alloc(0);

  push(bytes: Buffer): Frame[] {
    let rest = this.#rest.length === 0 ? bytes : Buffer.concat([this.#rest, bytes]);
    const frames: Frame[] = [];
    while (rest.length >= HEAD_BYTES) {
      const end = HEAD_BYTES + rest.readUIntBE(0, 3);
      if (rest.length < end) break;
      frames.push({
        type: rest.readUInt8(3),
        flags: rest.readUInt8(4),
        stream: rest.readUInt32BE(5) & 0x7fffffff,
        payload: rest.subarray(HEAD_BYTES, end),
      });
      rest = rest.subarray(end);
    }
    this.#rest = rest;
    return frames;
  }
}

/** The header block within HEADERS, without padding and priority (section 6.2). */
export function blockOf({ flags, payload }: Frame): Buffer {
  let block = payload;
  if ((flags & FLAG.PADDED) !== 0) block = block.subarray(1, block.length - block.readUInt8(0));
  if ((flags & FLAG.PRIORITY) !== 0) block = block.subarray(5);
  return block;
}
