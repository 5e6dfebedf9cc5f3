/**
 * A proxy in this process whose default lane leads to a recorder, and the two ways in: the plain port
 * and the TLS of the intercepted host.
 */
import assert from 'node:assert/strict';
import { after, before } from 'node:test';
import type { Config } from '../../src/config/types.ts';
import type { Cleanup } from '../support/home.ts';
import { type RawConnection, rawConnect } from '../support/raw-client.ts';
import { connectTo } from '../support/raw-exchange.ts';
import { type Rig, startRig } from '../support/rig.ts';
import { type Recorder, startRecorder } from './recorder.ts';

export type Entry = 'plain' | 'tls';

export interface HostilePlace {
  readonly rig: Rig;
  readonly recorder: Recorder;
  open(entry: Entry): Promise<RawConnection>;
  /** The right Host there. */
  hostOf(entry: Entry): string;
}

/** One for all tests of a file or suite: started before the first of them, ended after the last. */
export function sharedPlace(): () => HostilePlace {
  let place: HostilePlace | null = null;
  const undo: (() => Promise<void> | void)[] = [];
  before(async () => {
    place = await startPlace({ after: (run) => void undo.unshift(run) });
  });
  after(async () => {
    for (const run of undo) await run();
  });
  return () => place ?? assert.fail('before the tests');
}

async function startPlace(context: Cleanup): Promise<HostilePlace> {
  const recorder = await startRecorder(context);
  const rig = await startRig(context, { config: (config) => ledTo(config, recorder.port) });
  return {
    rig,
    recorder,
    open: (entry) =>
      entry === 'tls'
        ? connectTo(rig.proxy, rig.ca, 'connect')
        : rawConnect({ to: { host: '127.0.0.1', port: rig.proxy.port } }),
    hostOf: (entry) => (entry === 'tls' ? 'api.anthropic.com' : `127.0.0.1:${rig.proxy.port}`),
  };
}

/** The default lane, led to a plain upstream on loopback. */
function ledTo(config: Config, port: number): Config {
  const lanes = new Map(config.lanes);
  const lane = lanes.get(config.defaultLane);
  if (lane === undefined) throw new Error('no default lane');
  const to = { scheme: 'http', host: '127.0.0.1', port, basePath: '', ca: null } as const;
  lanes.set(lane.name, { ...lane, upstream: to });
  return { ...config, lanes };
}
