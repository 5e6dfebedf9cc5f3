/**
 * The program, broken on purpose: each of these must be caught, and by the invariant that it breaks. A
 * simulator that finds nothing is worth as much as what it would have found.
 */
import type { Inbound, Outbound, OutboundEvents } from '../src/core/ports.ts';
import type { Lane, PreparedRequest } from '../src/lanes/lane.ts';
import type { Knobs } from './knobs.ts';
import type { Sabotage } from './proxy.ts';
import type { Invariant } from './world.ts';

export interface SabotageCase {
  readonly name: string;
  readonly invariant: Invariant;
  /** What makes it likely within few seeds. */
  readonly knobs?: Partial<Knobs>;
  create(): Sabotage;
}

type Open = (request: PreparedRequest, events: OutboundEvents) => Outbound;

/** A lane that opens its requests in another way. */
function opening(wrap: (open: Open) => Open): Sabotage {
  return {
    lane: (lane) => ({ ...lane, open: wrap((request, events) => lane.open(request, events)) }),
  };
}

/** A lane that prepares its requests in another way. */
function preparing(
  wrap: (
    prepared: PreparedRequest,
    lane: Lane,
    client: readonly (readonly [string, string])[],
  ) => PreparedRequest,
): Sabotage {
  return {
    lane: (lane) => ({
      ...lane,
      prepare: (request, mode) => wrap(lane.prepare(request, mode), lane, request.head.fields),
    }),
  };
}

/** The same events, some of them replaced. */
function hearing(events: OutboundEvents, replaced: Partial<OutboundEvents>): OutboundEvents {
  return {
    onInterim: (head) => events.onInterim(head),
    onHead: (head) => events.onHead(head),
    onBody: (wire, data) => events.onBody(wire, data),
    onEnd: (trailers) => events.onEnd(trailers),
    onDrain: () => events.onDrain(),
    onFail: (failure) => events.onFail(failure),
    onUpgrade: (head, stream) => events.onUpgrade(head, stream),
    ...replaced,
  };
}

/** The same port, some of it replaced. */
function answering(replace: (inbound: Inbound) => Partial<Inbound>): Sabotage {
  return {
    inbound: (inbound) => ({
      head: inbound.head,
      via: inbound.via,
      protocol: inbound.protocol,
      read: (events) => inbound.read(events),
      pause: () => inbound.pause(),
      resume: () => inbound.resume(),
      interim: (head) => inbound.interim(head),
      respond: (head) => inbound.respond(head),
      write: (wire, data) => inbound.write(wire, data),
      end: (trailers) => inbound.end(trailers),
      cut: () => inbound.cut(),
      upgrade: (head) => inbound.upgrade(head),
      ...replace(inbound),
    }),
  };
}

const BACKLOG: Partial<Knobs> = {
  largeBodies: 0.5,
  slowReaders: 1,
  bufferBytes: 1024,
  highWaterMark: 1024,
  readBytesMax: 2048,
};

export const SABOTAGES: readonly SabotageCase[] = [
  {
    name: 'the credentials of a client go along to a keyed lane',
    invariant: '1 isolation',
    create: () =>
      preparing((prepared, lane, client) => {
        const own = client.find(([name]) => name.toLowerCase() === 'authorization');
        if (lane.kind !== 'keyed' || own === undefined) return prepared;
        return { ...prepared, fields: [['x-forwarded-authorization', own[1]], ...prepared.fields] };
      }),
  },
  {
    name: 'all clients share the connections of a lane',
    invariant: '1 isolation',
    create: () => preparing((prepared, lane) => ({ ...prepared, identity: `${lane.name}/all` })),
  },
  {
    name: 'a byte of an answer is another',
    invariant: '2 fidelity',
    create: () =>
      opening(
        (open) => (request, events) =>
          open(
            request,
            hearing(events, {
              onBody(wire, data) {
                const piece = Buffer.from(data?.[0] ?? wire);
                if (data !== null || piece.length === 0) return events.onBody(wire, data);
                piece[0] = (piece[0] ?? 0) ^ 1;
                events.onBody(piece, null);
              },
            }),
          ),
      ),
  },
  {
    name: 'a field of a request changes its case',
    invariant: '2 fidelity',
    create: () =>
      preparing((prepared) => ({
        ...prepared,
        fields: prepared.fields.map(([name, value]) => [name.toLowerCase(), value]),
      })),
  },
  {
    name: 'an exchange has two records',
    invariant: '3 one end',
    create: () => ({
      ledger: (ledger) => ({
        anomaly: (record) => ledger.anomaly(record),
        record(record) {
          ledger.record(record);
          if (record.retry) ledger.record(record);
        },
      }),
    }),
  },
  {
    name: 'an exchange that was cut has no record',
    invariant: '3 one end',
    create: () => ({
      ledger: (ledger) => ({
        anomaly: (record) => ledger.anomaly(record),
        record: (record) => (record.intact ? ledger.record(record) : undefined),
      }),
    }),
  },
  {
    name: 'a cut answer ends as if it were whole',
    invariant: '4 no lie at the end',
    create: () =>
      opening(
        (open) => (request, events) =>
          open(
            request,
            hearing(events, {
              onFail(failure) {
                if (failure.phase !== 'body') return events.onFail(failure);
                events.onBody(Buffer.from('0\r\n\r\n'), []);
                events.onEnd([]);
              },
            }),
          ),
      ),
  },
  {
    name: 'a cut answer that the close delimits is closed by FIN',
    invariant: '4 no lie at the end',
    create: () =>
      answering((inbound) => ({
        cut: () => inbound.end([]),
      })),
  },
  {
    name: 'an upstream is not told that the client left',
    invariant: '4 no lie at the end',
    create: () =>
      opening((open) => (request, events) => {
        const outbound = open(request, events);
        return {
          get protocol() {
            return outbound.protocol;
          },
          write: (wire, data) => outbound.write(wire, data),
          end: (trailers) => outbound.end(trailers),
          pause: () => outbound.pause(),
          resume: () => outbound.resume(),
          abort: () => undefined,
        };
      }),
  },
  {
    name: 'answers are written on though the client does not read',
    invariant: '5 backpressure',
    knobs: BACKLOG,
    create: () =>
      answering((inbound) => ({
        write(wire, data) {
          inbound.write(wire, data);
          return true;
        },
      })),
  },
  {
    name: 'a timer is left behind',
    invariant: '5 backpressure',
    create: () =>
      opening((open) => (request, events) => {
        setTimeout(() => undefined, 3_600_000);
        return open(request, events);
      }),
  },
  {
    name: 'a request is sent again that may have been served',
    invariant: '6 nothing twice',
    create: () =>
      opening((open) => (request, events) => {
        const { body } = request;
        let isSecond = false;
        const again = (): void => {
          isSecond = true;
          const outbound = open(request, hearing(events, {}));
          for (const piece of body ?? []) outbound.write(piece, null);
          outbound.end([]);
        };
        return open(
          request,
          hearing(events, {
            onFail(failure) {
              const mayRepeat = body !== null && failure.phase === 'head' && !isSecond;
              if (mayRepeat) again();
              else events.onFail(failure);
            },
          }),
        );
      }),
  },
  {
    name: 'what can not be routed goes to a keyed lane',
    invariant: '7 closed by default',
    create: () => ({
      routing: (table) => ({
        ...table,
        routes: [{ decision: 'default', when: {}, lane: 'other' }],
      }),
    }),
  },
  {
    name: 'an answer waits for a ledger that is broken',
    invariant: '8 the observer',
    create: () => {
      let isBroken = false;
      return {
        ledger: (ledger) => ({
          anomaly: (record) => ledger.anomaly(record),
          record(record) {
            try {
              ledger.record(record);
            } catch {
              isBroken = true;
            }
          },
        }),
        ...answering((inbound) => ({
          end(trailers) {
            if (isBroken) setTimeout(() => inbound.end(trailers), 3);
            else inbound.end(trailers);
          },
        })),
      };
    },
  },
];
