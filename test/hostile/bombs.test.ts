/**
 * Answers that unpack to gigabytes. They are delivered packed, byte for byte; the tap that reads a
 * decoded copy lets go at its bound, the ledger says so, and memory stays where it was.
 */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { brotliCompressSync, constants, createZstdCompress, gzipSync } from 'node:zlib';
import { exchangeOnce } from '../support/raw-exchange.ts';
import { sharedPlace } from './place.ts';

const MIB = 1024 * 1024;
/** Far below what the bombs unpack to, far above what the test itself needs. */
const GROWTH_BYTES_MAX = 300 * MIB;
const ZEROS = Buffer.alloc(64 * MIB);

interface Bomb {
  readonly name: string;
  readonly coding: string;
  pack(): Promise<Buffer> | Buffer;
  /** The tap can not read all of it. */
  readonly dropped: boolean;
}

function zstd(mib: number, windowBits: number): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const packer = createZstdCompress({ params: { [constants.ZSTD_c_windowLog]: windowBits } });
    const packed: Buffer[] = [];
    packer.on('data', (piece: Buffer) => packed.push(piece));
    packer.on('error', reject);
    packer.on('end', () => resolve(Buffer.concat(packed)));
    for (let index = 0; index < mib; index += 1) packer.write(ZEROS.subarray(0, MIB));
    packer.end();
  });
}

const BOMBS: readonly Bomb[] = [
  {
    name: 'gzip of 2 GiB, in members',
    coding: 'gzip',
    pack: () => Buffer.concat(Array<Buffer>(32).fill(gzipSync(ZEROS))),
    dropped: true,
  },
  {
    name: 'brotli of 80 MiB in 100 bytes',
    coding: 'br',
    pack: () =>
      brotliCompressSync(Buffer.alloc(80 * MIB), {
        params: { [constants.BROTLI_PARAM_QUALITY]: 3 },
      }),
    dropped: true,
  },
  { name: 'zstd of 256 MiB', coding: 'zstd', pack: () => zstd(256, 23), dropped: true },
  {
    name: 'zstd that asks for a window of 128 MiB (RFC 9659: at most 8)',
    coding: 'zstd',
    pack: () => zstd(1, 27),
    dropped: true,
  },
  {
    name: 'zstd with the window of RFC 9659',
    coding: 'zstd',
    pack: () => zstd(1, 23),
    dropped: false,
  },
  {
    name: 'gzip within gzip, which nobody asked for',
    coding: 'gzip, gzip',
    pack: () => gzipSync(gzipSync(ZEROS)),
    dropped: true,
  },
  {
    name: 'what is no gzip',
    coding: 'gzip',
    pack: () => Buffer.alloc(100_000, 'x'),
    dropped: true,
  },
];

describe('decompression bombs', () => {
  const place = sharedPlace();
  let count = 0;

  for (const bomb of BOMBS) {
    test(bomb.name, async () => {
      const { recorder, rig } = place();
      const packed = await bomb.pack();
      const lines = [
        'HTTP/1.1 200 OK',
        'Content-Type: application/json',
        `Content-Encoding: ${bomb.coding}`,
        `Content-Length: ${packed.length}`,
      ];
      const pieces = [`${lines.join('\r\n')}\r\n\r\n`, packed.toString('latin1')];
      recorder.reply = () => ({ pieces, fin: false });
      const anomalies = (await rig.anomalies()).length;
      const rss = process.memoryUsage().rss;
      let peak = rss;
      const watch = setInterval(() => {
        peak = Math.max(peak, process.memoryUsage().rss);
      }, 5);
      const seen = await exchangeOnce(rig.proxy, rig.ca, 'connect', {
        path: '/v1/messages',
        body: Buffer.from('{"model":"claude-sonnet-5-5"}'),
      });
      count += 1;
      const record = (await rig.records(count)).at(-1);
      clearInterval(watch);
      assert.equal(seen.status, 200);
      assert(seen.body.equals(packed), 'byte for byte, as it was packed');
      assert.deepEqual([record?.intact, record?.bytes_down], [true, packed.length]);
      const kinds = (await rig.anomalies()).slice(anomalies).map(({ kind }) => kind);
      assert.deepEqual(kinds, bomb.dropped ? ['tap_dropped'] : []);
      const growth = peak - rss;
      assert(growth < GROWTH_BYTES_MAX, `memory grew by ${Math.round(growth / MIB)} MiB`);
    });
  }
});
