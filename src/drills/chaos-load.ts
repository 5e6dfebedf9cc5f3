/**
 * The load of a chaos drill: long streams that are open when something is done to the proxy, and
 * arrivals, short exchanges on connections of their own, that tell from when to when nobody was let in.
 */
import { setTimeout as wait } from 'node:timers/promises';
import { CHAOS_ARRIVAL_MS, CHAOS_ARRIVALS_OPEN_MAX } from '../core/limits.ts';
import { tagOf } from './plan.ts';
import { createRawClient } from './raw-client.ts';
import type { Access, DrillClient, DrillLane, DrillRequest, Heard } from './types.ts';

/** One exchange of the load. */
export interface Visit {
  readonly request: DrillRequest;
  readonly heard: Heard;
  /** On the monotonic clock, ms. */
  readonly began: number;
  readonly ended: number;
}

export interface Load {
  /** Opens one stream that lasts about so long. Never rejects. */
  stream(ms: number): Promise<Visit>;
  /** Begins to arrive; the returned function ends that, and resolves with what came of all. */
  arrive(): () => Promise<Visit[]>;
  /** Cuts what is still under way. */
  close(): Promise<void>;
}

const MODELS: Readonly<Record<DrillLane, string>> = {
  anthropic: 'claude-sonnet-5-5',
  zai: 'claude-haiku-5-5',
};
const MAX_TOKENS = 1_000;
const EVENT_GAP_MS = 50;

/** @param told of every exchange that was written to a connection, when it has ended */
export function createLoad(access: Access, told: (visit: Visit) => void): Load {
  const open = new Set<DrillClient>();
  let count = 0;
  const ask = async (directives: string): Promise<Visit> => {
    const index = count;
    count += 1;
    const lane: DrillLane = index % 2 === 0 ? 'anthropic' : 'zai';
    const tag = tagOf(index);
    const request = {
      tag,
      model: MODELS[lane],
      lane,
      stream: true,
      shape: 'short' as const,
      prompt: `${directives} (${tag})`,
      maxTokens: MAX_TOKENS,
    };
    const client = createRawClient(access);
    open.add(client);
    const began = performance.now();
    const heard = await client.ask(request);
    const visit = { request, heard, began, ended: performance.now() };
    if (heard.sent) told(visit);
    open.delete(client);
    await client.close();
    return visit;
  };
  return {
    stream: (ms) =>
      ask(`[twin: events ${Math.ceil(ms / EVENT_GAP_MS)}] [twin: gap ${EVENT_GAP_MS}]`),
    arrive() {
      const visits: Visit[] = [];
      const underWay = new Set<Promise<void>>();
      let over = false;
      const arriving = (async () => {
        while (!over) {
          if (underWay.size < CHAOS_ARRIVALS_OPEN_MAX) {
            const one = ask('[twin: text 8 words]').then((visit) => {
              visits.push(visit);
              underWay.delete(one);
            });
            underWay.add(one);
          }
          await wait(CHAOS_ARRIVAL_MS);
        }
      })();
      return async () => {
        over = true;
        await arriving;
        await Promise.all(underWay);
        return visits.sort((a, b) => a.began - b.began);
      };
    },
    async close() {
      await Promise.all([...open].map((client) => client.close()));
    },
  };
}
