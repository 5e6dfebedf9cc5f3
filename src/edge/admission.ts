/**
 * What a request is and whether it may pass: a pure judgement of its head, before anything is done.
 *
 * RFC 9112 section 3.2 (target forms), RFC 9110 sections 7.4 (421), 7.6 (loops), 7.6.2
 * (Max-Forwards), 9.3.6 (CONNECT). Where RFC 9112 section 3.2.2 lets an absolute target win over a
 * disagreeing Host, this refuses: two readers of such a request may mean two servers.
 */
import {
  type AbsoluteTarget,
  type Authority,
  formatAuthority,
  isLoopbackHost,
  parseAbsoluteTarget,
  parseAuthority,
  parseHostField,
} from '../core/authority.ts';
import type { ErrorCode } from '../core/errors.ts';
import { fieldValue } from '../core/fields.ts';
import type { Field, RequestHead } from '../core/message.ts';
import type { Via } from '../core/ports.ts';
import {
  isForeignOrigin,
  isTokenPresented,
  limitForwards,
  PROXY_CHALLENGE,
  withoutOurCredentials,
} from './guards.ts';
import type { EdgeSettings } from './types.ts';

/** Where a connection stands: our plain port, or inside a tunnel to an intercepted host. */
export type Scope =
  | { readonly kind: 'plain' }
  | {
      readonly kind: 'intercept';
      readonly host: string;
      /** The TLS server name was absent or that host (RFC 6066 section 3). */
      readonly isNameRight: boolean;
    };

export type Verdict =
  /** A request for the relay. */
  | { readonly act: 'exchange'; readonly head: RequestHead; readonly via: Via }
  | {
      readonly act: 'refuse';
      readonly code: ErrorCode;
      readonly detail: string;
      readonly extra: readonly Field[];
    }
  /** `Max-Forwards: 0`: we are the last to get it, and answer. */
  | { readonly act: 'probe' }
  /** Plain http to a host of its own. */
  | { readonly act: 'forward'; readonly head: RequestHead; readonly target: AbsoluteTarget }
  /** CONNECT. */
  | { readonly act: 'tunnel'; readonly target: Authority; readonly isIntercepted: boolean };

/** Judges the head of a request. */
export function judge(head: RequestHead, scope: Scope, settings: EdgeSettings): Verdict {
  if (scope.kind === 'intercept') return judgeIntercepted(head, scope);
  if (head.method === 'CONNECT') return judgeConnect(head, settings);
  if (isOriginForm(head.target)) return judgeGateway(head, settings);
  return judgeAbsolute(head, settings);
}

function judgeIntercepted(head: RequestHead, scope: Scope & { kind: 'intercept' }): Verdict {
  if (!scope.isNameRight) return refuse('misdirected', 'TLS server name');
  const { host } = scope;
  if (head.method === 'CONNECT') return refuse('bad_request', 'CONNECT inside a tunnel');
  const given = fieldValue(head.fields, 'host');
  if (given === undefined) return refuse('bad_host');
  if (given !== host && !isHttpsOf(parseAuthority(given, { port: 443 }), host)) {
    return refuse('misdirected');
  }
  let { target } = head;
  if (!isOriginForm(target)) {
    const absolute = parseAbsoluteTarget(target);
    if (absolute === null) return refuse('bad_request', 'the request target');
    if (absolute.scheme !== 'https' || !isHttpsOf(absolute, host)) return refuse('misdirected');
    target = originForm(head, absolute);
  }
  return admit(head, target, { kind: 'intercept', host });
}

function judgeConnect(head: RequestHead, settings: EdgeSettings): Verdict {
  if (head.version === '2') return refuse('bad_request', 'CONNECT over HTTP/2 is not offered');
  const target = parseAuthority(head.target, { port: 'required' });
  if (target === null) return refuse('bad_authority');
  if (settings.token !== null && !isTokenPresented(head.fields, settings.token)) {
    return refuse('proxy_auth_required', '', [PROXY_CHALLENGE]);
  }
  const isIntercepted = target.port === 443 && settings.interceptHosts.has(target.host);
  return { act: 'tunnel', target, isIntercepted };
}

/** A request to us by our own address (`ANTHROPIC_BASE_URL`). */
function judgeGateway(head: RequestHead, settings: EdgeSettings): Verdict {
  const given = fieldValue(head.fields, 'host');
  const host = given === undefined ? null : parseHostField(given);
  if (host === null) return refuse('bad_host');
  return admitToGateway(head, head.target, host, settings);
}

function judgeAbsolute(head: RequestHead, settings: EdgeSettings): Verdict {
  const target = parseAbsoluteTarget(head.target);
  if (target === null) return refuse('bad_request', 'the request target');
  if (target.scheme === 'https') return refuse('bad_request', 'https needs CONNECT');
  const given = fieldValue(head.fields, 'host');
  if (given !== undefined) {
    const host = parseHostField(given);
    if (host?.host !== target.host || host.port !== target.port) {
      return refuse('bad_host', 'Host is not the host of the target');
    }
  }
  if (isOurs(target, settings)) {
    return admitToGateway(head, originForm(head, target), target, settings);
  }
  if (settings.interceptHosts.has(target.host)) return refuse('plain_intercepted');
  if (settings.token !== null && !isTokenPresented(head.fields, settings.token)) {
    return refuse('proxy_auth_required', '', [PROXY_CHALLENGE]);
  }
  if (head.version === '2') return refuse('bad_request', 'the request target');
  const limited = limitForwards(head);
  if (limited === null) return { act: 'probe' };
  const { port } = target;
  const host: Field = ['Host', port === 80 ? hostOf(target) : formatAuthority(target.host, port)];
  const fields = withoutOurCredentials(limited.fields);
  const isHostGiven = given !== undefined;
  return {
    act: 'forward',
    target,
    head: {
      ...limited,
      target: originForm(head, target),
      fields: isHostGiven ? fields : [host, ...fields],
    },
  };
}

function admitToGateway(
  head: RequestHead,
  target: string,
  host: Authority,
  settings: EdgeSettings,
): Verdict {
  const { token } = settings;
  if (token === null && !isLoopbackHost(host.host)) return refuse('foreign_host');
  if (isForeignOrigin(head.fields)) return refuse('foreign_origin');
  if (token !== null && !isTokenPresented(head.fields, token)) {
    return refuse('proxy_auth_required', '', [PROXY_CHALLENGE]);
  }
  return admit(head, target, { kind: 'gateway' });
}

function admit(head: RequestHead, target: string, via: Via): Verdict {
  const limited = limitForwards(head);
  if (limited === null) return { act: 'probe' };
  const fields = withoutOurCredentials(limited.fields);
  const isSame = fields === head.fields && target === head.target;
  return { act: 'exchange', via, head: isSame ? head : { ...head, target, fields } };
}

function refuse(code: ErrorCode, detail = '', extra: readonly Field[] = []): Verdict {
  return { act: 'refuse', code, detail, extra };
}

function isOriginForm(target: string): boolean {
  return target.startsWith('/') || target === '*';
}

/** OPTIONS for a whole server is asked with `*` (RFC 9112 section 3.2.4). */
function originForm(head: RequestHead, target: AbsoluteTarget): string {
  const isWhole = head.method === 'OPTIONS' && target.path === '/' && !head.target.endsWith('/');
  return isWhole ? '*' : target.path;
}

function isOurs(target: Authority, settings: EdgeSettings): boolean {
  if (target.port !== settings.ownPort) return false;
  return isLoopbackHost(target.host) || settings.ownHosts.includes(target.host);
}

function isHttpsOf(authority: Authority | null, host: string): boolean {
  return authority !== null && authority.host === host && authority.port === 443;
}

function hostOf(target: Authority): string {
  return target.host.includes(':') ? `[${target.host}]` : target.host;
}
