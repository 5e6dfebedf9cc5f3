/**
 * A request for a keyed lane: fields built from an empty set, then the lane's own credential
 * (contract, rules of a lane, 2), and a body that differs only where the configuration says so, cut
 * in place (rule 3).
 *
 * Field names leave in lower case and a fixed order, whatever the client's were: of the client
 * nothing travels but the values of the allow-list.
 */
import type { HeaderMode, LaneConfig } from '../config/types.ts';
import { fieldValue, fieldValues } from '../core/fields.ts';
import { applyEdits, planEdits } from '../core/json/cutter.ts';
import type { Field } from '../core/message.ts';
import { matchesGlob } from '../core/route.ts';
import { reveal, type Secret } from '../core/secret.ts';
import { identityOf } from './identity.ts';
import { assertNoClientCredential, clientCredentials } from './isolation.ts';
import { type LaneRequest, type PreparedRequest, UneditableError } from './lane.ts';
import { upstreamTarget } from './target.ts';

/** What preparing needs to know of the lane. */
export interface KeyedRules {
  readonly config: LaneConfig;
  /** The upstream's authority without its scheme's default port. */
  readonly authority: string;
  readonly protocol: PreparedRequest['protocol'];
  readonly secret: Secret;
}

/** What may travel besides `content-length`, in the order it leaves. */
const ALLOWED = [
  'content-type',
  'accept',
  'accept-encoding',
  'anthropic-version',
  'anthropic-beta',
  'user-agent',
] as const;

/**
 * The request as it leaves on a keyed lane. The check against other lanes' secrets is the caller's.
 *
 * @throws UneditableError where the body is not held, is encoded, or can not be edited for sure
 * @throws IsolationError where something of the client's credentials would travel
 */
export function prepareKeyed(
  rules: KeyedRules,
  request: LaneRequest,
  headerMode: HeaderMode,
): PreparedRequest {
  const { config } = rules;
  const { head } = request;
  const modelSent = mappedModel(config, request.model);
  const body = editedBody(config, request, modelSent);
  let length = 0;
  for (const piece of body) length += piece.length;

  const target = upstreamTarget(config.upstream.basePath, head.method, head.target);
  const fields: Field[] = [['host', rules.authority]];
  for (const name of ALLOWED) {
    for (const value of fieldValues(head.fields, name)) fields.push([name, value]);
  }
  fields.push(['content-length', String(length)]);
  assertNoClientCredential(config.name, rules.secret, clientCredentials(head.fields), {
    target,
    fields,
    body,
  });
  fields.push(credentialField(rules.secret, headerMode));
  return {
    method: head.method,
    target,
    fields,
    framing: { kind: 'length', length },
    body,
    protocol: rules.protocol,
    identity: identityOf(config.name, fields),
    upgrade: null,
    modelSent,
    headerMode,
  };
}

function credentialField(secret: Secret, mode: HeaderMode): Field {
  return mode === 'x-api-key'
    ? ['x-api-key', reveal(secret)]
    : ['authorization', `Bearer ${reveal(secret)}`];
}

function mappedModel(config: LaneConfig, model: string | null): string | null {
  if (model === null) return null;
  for (const [glob, id] of config.models) {
    if (matchesGlob(glob, model)) return id;
  }
  return model;
}

function editedBody(
  config: LaneConfig,
  request: LaneRequest,
  modelSent: string | null,
): readonly Buffer[] {
  const { body, head, places } = request;
  if (body === null) throw new UneditableError(config.name, 'its body is not held');
  const coding = fieldValue(head.fields, 'content-encoding');
  if (coding !== undefined && coding.toLowerCase() !== 'identity') {
    throw new UneditableError(config.name, 'its body is encoded');
  }
  const plan = {
    model: modelSent === request.model ? null : modelSent,
    dropUserId: config.body.userId === 'drop',
    dropAttribution: config.body.attribution === 'drop',
  };
  const edits = places === null ? null : planEdits(body, places, plan);
  if (edits === null) throw new UneditableError(config.name, 'its body can not be edited for sure');
  return applyEdits(body, edits);
}
