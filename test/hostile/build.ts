/**
 * Short ways to write cases down.
 */
import type { HostileRequest, Place, Reached } from './types.ts';

/** A path that is not routed: its body streams on as it comes. */
export const STREAMED = '/v1/hostile';
/** A routed path: its body is held until it is whole. */
export const HELD = '/v1/messages';

/** A head with the right Host, these further lines, and what follows it. */
export function message(
  start: string,
  lines: readonly string[],
  rest = '',
): HostileRequest['bytes'] {
  return ({ host }) => [start, `Host: ${host}`, ...lines, '', rest].join('\r\n');
}

/** Bytes as they are, `{host}` and `{port}` filled in. */
export function raw(text: string): HostileRequest['bytes'] {
  return ({ host, port }: Place) =>
    text.replaceAll('{host}', host).replaceAll('{port}', String(port));
}

type Told = Pick<HostileRequest, 'name' | 'rfc' | 'why' | 'bytes'> &
  Partial<Pick<HostileRequest, 'plainOnly' | 'fin'>>;

/** Refused by its head: no exchange, nothing sent on, the connection ends. */
export function refused(status: number, code: string, told: Told): HostileRequest {
  return {
    ...told,
    answered: { statuses: [status], code, closes: true },
    reaches: { kind: 'nothing' },
    records: 0,
  };
}

/** Refused by its body, which was held: an exchange began, nothing was sent on. */
export function refusedHeld(told: Told): HostileRequest {
  return { ...refused(400, 'bad_request', told), records: 1 };
}

/** Refused by its body, which was streaming on: what left of it never becomes whole. */
export function refusedStreaming(told: Told): HostileRequest {
  return { ...refused(400, 'bad_request', told), reaches: { kind: 'part' }, records: 1 };
}

/** Let pass, exactly so; the connection stays open unless `closes`. */
export function passed(
  requests: readonly Reached[],
  told: Told & { readonly closes?: boolean },
): HostileRequest {
  const { closes = false, ...rest } = told;
  return {
    ...rest,
    answered: { statuses: requests.map(() => 200), closes },
    reaches: { kind: 'whole', requests },
    records: requests.length,
  };
}
