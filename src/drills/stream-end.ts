/**
 * How an event stream ended by its own word, read from its last bytes. Independent of the proxy's own
 * reading, on purpose: the two are compared.
 */
import zlib from 'node:zlib';

/** What the last events of a stream said. */
export interface StreamEnd {
  /** `message_stop` came. */
  readonly stopped: boolean;
  /** The type of an error event at the end, `unknown` for one that can not be read, or null. */
  readonly error: string | null;
}

const STOP = Buffer.from('event: message_stop\ndata: {"type":"message_stop"}\n\n');
const STOP_DATA = /"type": ?"message_stop"[^\n]*\}\s*$/;
const LAST_ERROR = /(?:^|\n)event: ?error\r?\ndata: ?([^\n]*)\s*$/;

/** True where the bytes end as nearly every stream does; quick, and sure only if true. */
export function endsPlainly(bytes: Buffer): boolean {
  return bytes.length >= STOP.length && bytes.subarray(-STOP.length).equals(STOP);
}

/** Reads the end of a stream; an upstream may spell the data of its last event otherwise. */
export function streamEnd(bytes: Buffer): StreamEnd {
  if (endsPlainly(bytes)) return { stopped: true, error: null };
  const text = bytes.toString('latin1');
  if (STOP_DATA.test(text)) return { stopped: true, error: null };
  const data = LAST_ERROR.exec(text)?.[1];
  return { stopped: false, error: data === undefined ? null : typeWithin(data) };
}

/**
 * A whole payload without its content coding, as far as it goes where it was cut short.
 *
 * @returns null for a coding that is not known, and for bytes that are not of it
 */
export function decoded(bytes: Buffer, coding: string): Buffer | null {
  try {
    switch (coding) {
      case 'gzip':
        return zlib.gunzipSync(bytes, { finishFlush: zlib.constants.Z_SYNC_FLUSH });
      case 'deflate':
        return zlib.inflateSync(bytes, { finishFlush: zlib.constants.Z_SYNC_FLUSH });
      case 'br':
        return zlib.brotliDecompressSync(bytes, {
          finishFlush: zlib.constants.BROTLI_OPERATION_FLUSH,
        });
      case 'zstd':
        return zlib.zstdDecompressSync(bytes);
      default:
        return null;
    }
  } catch {
    return null;
  }
}

function typeWithin(data: string): string {
  return /"error": ?\{"type": ?"([a-z_]+)"/.exec(data)?.[1] ?? 'unknown';
}
