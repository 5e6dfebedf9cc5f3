/** The rig: upstream, generator and the loads that they make together. */
import type { Cell } from './cells.ts';
import { startServant } from './load/process.ts';
import type { Access, Job, Measured } from './load/types.ts';
import type { Listening, Seen, UpstreamOrder } from './load/upstream.ts';
import type { Answer } from './load/wire.ts';
import { plainAt, tlsAt } from './targets/site.ts';
import type { Certificates, Way } from './targets/types.ts';

export interface Rig {
  readonly ports: Listening;
  /** The upstream without a proxy. */
  readonly direct: Partial<Record<Way, Access>>;
  /** Makes a load; the upstream answers as the job says. */
  load(job: Load): Promise<{ measured: Measured; seen: Seen }>;
  /** What the upstream answers to requests of others than the generator. */
  answer(answer: Answer): Promise<void>;
  close(): Promise<void>;
}

/** What of a job is not always the same. */
export interface Load extends Pick<Job, 'access' | 'body' | 'answer' | 'connections' | 'seconds'> {
  readonly newConnections?: boolean;
  readonly warmSeconds?: number;
  readonly rampSeconds?: number;
  readonly exchanges?: number;
  readonly model?: Job['model'];
  readonly pids?: readonly number[];
  /** The upstream compares the models of all requests with the place where they came. */
  readonly models?: boolean;
}

/** Starts upstream and generator, on the core that the proxy does not have. */
export async function openRig(certificates: Certificates): Promise<Rig> {
  const module = (name: string): string => `${import.meta.dirname}/load/${name}.ts`;
  const upstream = startServant<UpstreamOrder>(module('upstream'), 'rig');
  const generator = startServant<Job>(module('generator'), 'rig');
  const ports = await upstream.ask<Listening>({
    order: 'listen',
    certPem: certificates.certPem,
    keyPem: certificates.keyPem,
  });
  const ca = certificates.caPem;
  return {
    ports,
    direct: {
      tls: tlsAt(ports.tlsPort, ca),
      gateway: plainAt(ports.plainPort),
      h2: tlsAt(ports.tlsPort, ca, true),
    },
    load: async (load) => {
      const { answer, models = false } = load;
      await upstream.ask({ order: 'answer', answer, models });
      const measured = await generator.ask<Measured>(jobOf(load, upstream.pid));
      return { measured, seen: await upstream.ask<Seen>({ order: 'seen' }) };
    },
    answer: async (answer) => {
      await upstream.ask({ order: 'answer', answer, models: false });
    },
    close: async () => {
      await generator.close();
      await upstream.close();
    },
  };
}

function jobOf(load: Load, upstreamPid: number): Job {
  const { access, body, answer, connections, seconds } = load;
  return {
    access,
    body,
    answer,
    connections,
    seconds,
    newConnections: load.newConnections ?? false,
    warmSeconds: load.warmSeconds ?? 0,
    rampSeconds: load.rampSeconds ?? 0,
    exchanges: load.exchanges ?? null,
    model: load.model ?? null,
    pids: load.pids ?? [],
    upstreamPid,
  };
}

/** The load of a cell. */
export function loadOf(cell: Cell, access: Access): Omit<Load, 'seconds'> {
  const { body, answer, connections, newConnections } = cell;
  return { access, body, answer, connections, newConnections };
}
