/**
 * Control of a running twin over its own ports, below `/__twin/`, a path that no real API has:
 *
 * - `GET /__twin/faults`       the plan in force, with how often each rule was seen and applied
 * - `POST /__twin/faults`      puts a plan in force (JSON), its counters at 0
 * - `DELETE /__twin/faults`    no more faults
 * - `GET /__twin/requests`     what came here, without bodies, queries or field values
 * - `DELETE /__twin/requests`  forgets it
 *
 * No credential: the twin listens on loopback only and holds nothing of value. Control calls are not
 * recorded, not counted by rules, and no fault of a request befalls them.
 */
import type { FaultEngine } from './faults.ts';
import { checkPlan, FaultPlanError } from './plan.ts';
import type { ReceivedLog } from './received.ts';
import type { ReceivedRequest, Step, TwinRequest } from './types.ts';

const PREFIX = '/__twin/';

/** What control calls reach. */
export interface Controlled {
  readonly faults: FaultEngine;
  readonly log: ReceivedLog;
}

/** Whether a target is a control call's. */
export function isControlCall(target: string): boolean {
  return target.startsWith(PREFIX);
}

/** Answers a control call. */
export async function answerControl(
  { method, target, body }: TwinRequest,
  { faults, log }: Controlled,
): Promise<readonly Step[]> {
  switch (`${method} ${target.split('?', 1)[0]}`) {
    case 'GET /__twin/faults':
      return json(200, faults.report());
    case 'POST /__twin/faults':
      return setFaults(body, faults);
    case 'DELETE /__twin/faults':
      faults.set(null);
      return json(200, faults.report());
    case 'GET /__twin/requests':
      return json(200, { requests: log.requests().map(summaryOf) });
    case 'DELETE /__twin/requests':
      log.clear();
      return json(200, { requests: [] });
    default:
      return json(404, { error: 'no such control call', known: ['faults', 'requests'] });
  }
}

async function setFaults(body: Buffer, faults: FaultEngine): Promise<readonly Step[]> {
  let value: unknown;
  try {
    value = JSON.parse(body.toString());
  } catch {
    return json(400, { error: 'the body is not valid JSON', problems: [] });
  }
  try {
    faults.set(await checkPlan(value));
  } catch (error) {
    if (!(error instanceof FaultPlanError)) throw error;
    return json(400, { error: error.message, problems: error.problems });
  }
  return json(200, faults.report());
}

function summaryOf(request: ReceivedRequest): object {
  const { id, at, protocol, method, connection, whole, aborted, broken, fault } = request;
  const { status, bytes, sha256, ended } = request.answer;
  return {
    id,
    at,
    protocol,
    method,
    path: request.path.split('?', 1)[0],
    connection,
    bytes_up: request.body.length,
    whole,
    aborted,
    broken,
    fault,
    answer: { status, bytes, sha256, ended },
  };
}

function json(status: number, value: object): readonly Step[] {
  const bytes = Buffer.from(JSON.stringify(value));
  return [
    {
      kind: 'head',
      status,
      fields: [
        ['Content-Type', 'application/json'],
        ['Content-Length', String(bytes.length)],
        ['Cache-Control', 'no-store'],
      ],
    },
    { kind: 'bytes', bytes },
  ];
}
