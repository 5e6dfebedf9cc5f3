/**
 * What happens to a payload between the event grammar and the connection: content codings, flushed
 * at each piece so that a stream stays a stream, and re-cutting into pieces of one size.
 */
import { once } from 'node:events';
import zlib from 'node:zlib';
import type { Coding } from './control.ts';
import type { Script, Step } from './types.ts';

const BEST_FIRST: readonly Coding[] = ['zstd', 'br', 'gzip', 'deflate'];

/** The best coding that an Accept-Encoding value allows, or null. Weights other than 0 are ignored. */
export function bestCoding(accepted: string | undefined): Coding | null {
  const offered = (accepted ?? '')
    .toLowerCase()
    .split(',')
    .map((part) => part.trim())
    .filter((part) => !/;\s*q=0(\.0*)?$/.test(part))
    .map((part) => part.split(';', 1)[0]?.trim());
  return BEST_FIRST.find((coding) => offered.includes(coding)) ?? null;
}

/** A whole payload, encoded. */
export function encodeWhole(bytes: Buffer, coding: Coding): Buffer {
  switch (coding) {
    case 'gzip':
      return zlib.gzipSync(bytes);
    case 'br':
      return zlib.brotliCompressSync(bytes);
    case 'zstd':
      return zlib.zstdCompressSync(bytes);
    case 'deflate':
      return zlib.deflateSync(bytes);
  }
}

/** The script with its bytes encoded, each piece decodable as soon as it has come. */
export async function* encodeSteps(script: Script, coding: Coding): AsyncGenerator<Step> {
  const encoder = encoderOf(coding);
  const out: Buffer[] = [];
  encoder.on('data', (piece: Buffer) => out.push(piece));
  const taken = (): Step => ({ kind: 'bytes', bytes: Buffer.concat(out.splice(0)) });
  try {
    for await (const step of script) {
      if (step.kind !== 'bytes') {
        yield step;
        continue;
      }
      encoder.write(step.bytes);
      await new Promise<void>((resolve) => encoder.flush(() => resolve()));
      yield taken();
    }
    encoder.end();
    await once(encoder, 'end');
    yield taken();
  } finally {
    encoder.destroy();
  }
}

function encoderOf(coding: Coding): zlib.Gzip | zlib.BrotliCompress | zlib.ZstdCompress {
  switch (coding) {
    case 'gzip':
      return zlib.createGzip({ flush: zlib.constants.Z_NO_FLUSH });
    case 'br':
      return zlib.createBrotliCompress();
    case 'zstd':
      return zlib.createZstdCompress();
    case 'deflate':
      return zlib.createDeflate();
  }
}

/**
 * The script with its payload cut into pieces of these sizes in bytes, one after the other and then
 * from the start; what is left goes before a pause.
 *
 * @param sizes at least one, each at least 1
 */
export async function* cutSteps(script: Script, sizes: readonly number[]): AsyncGenerator<Step> {
  let held: Buffer[] = [];
  let length = 0;
  let turn = 0;
  const size = (): number => sizes[turn % sizes.length] ?? 1;
  for await (const step of script) {
    if (step.kind !== 'bytes') {
      if (length > 0) yield { kind: 'bytes', bytes: Buffer.concat(held) };
      held = [];
      length = 0;
      yield step;
      continue;
    }
    held.push(step.bytes);
    length += step.bytes.length;
    if (length < size()) continue;
    const bytes = Buffer.concat(held);
    let from = 0;
    while (length >= size()) {
      const piece = bytes.subarray(from, from + size());
      yield { kind: 'bytes', bytes: piece };
      from += piece.length;
      length -= piece.length;
      turn += 1;
    }
    held = [bytes.subarray(from)];
  }
  if (length > 0) yield { kind: 'bytes', bytes: Buffer.concat(held) };
}
