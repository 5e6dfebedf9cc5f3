/**
 * Removes what looks like a secret from texts and JSON values: for body samples, and as a last net
 * under the ledger.
 *
 * It knows shapes (keys of Anthropic, Z.AI and others, Bearer and Basic credentials, JWTs, private
 * keys, e-mail addresses) and names (`x-api-key`, `cookie`, `password`, …). It would rather take too
 * much than too little. What it can not see: a secret encoded once more (base64, percent), or split
 * over several events of a stream.
 */

const REDACTED = '[redacted]';
/** Deeper values are not looked at, and so not shown. */
const DEPTH_MAX = 64;

/** Names whose value is a secret or names a person, as in text, where a name may be part of a longer one. */
const SECRET_NAMES =
  '(?:x-)?api[-_]?key|(?:proxy-)?authorization|(?:access|refresh|id|auth|session)[-_]?token|client[-_]?secret|password|passwd|user_id|device_id|account_uuid|session_id';

/** Each shape and what stands in its place. Repetitions that can fail are bounded: linear time. */
const SHAPES: readonly (readonly [RegExp, string])[] = [
  [/-----BEGIN [A-Z ]{0,32}PRIVATE KEY-----[\s\S]*?(?:-----END [A-Z ]{0,32}-----|$)/g, REDACTED],
  // Cookie values may be quoted, so a whole line goes.
  [/(cookie\d?(?:\\*["']\s{0,8}[:=,]|\s{0,8}[:=]))[^\r\n]+/gi, `$1${REDACTED}`],
  [
    new RegExp(
      `((?:${SECRET_NAMES})(?:\\\\*["'])?\\s{0,8}[:=,]\\s{0,8}(?:\\\\*["'])?(?:(?:Bearer|Basic|Token)\\s{1,8})?)[^\\s"'\\\\]+`,
      'gi',
    ),
    `$1${REDACTED}`,
  ],
  [/\b(Bearer)(\s{1,8})[^\s"'\\,;]+/gi, `$1$2${REDACTED}`],
  [/sk-ant-[A-Za-z0-9_-]+/g, REDACTED],
  [/(?<![A-Za-z0-9])sk-[A-Za-z0-9_-]{16,}/g, REDACTED],
  [/[0-9A-Fa-f]{32}\.[A-Za-z0-9]{16,}/g, REDACTED],
  // At the start of a word a JWT of any length; glued to one, a usual one.
  [/(?<![A-Za-z0-9_-])eyJ[A-Za-z0-9_-]{4,}\.[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]*)?/g, REDACTED],
  [/eyJ[A-Za-z0-9_-]{4,256}\.[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]*)?/g, REDACTED],
  [/(?<![A-Za-z0-9])(?:gh[opsru]_|github_pat_|xox[a-z]-|AKIA|AIza)[A-Za-z0-9_-]{12,}/g, REDACTED],
  [/(:\/\/)[^\s:@/"']{1,256}:[^\s@/"']{1,256}@/g, `$1${REDACTED}@`],
  [/[A-Za-z0-9._%+-]{1,64}@[A-Za-z0-9-]{1,63}(?:\.[A-Za-z0-9-]{1,63})+/g, REDACTED],
];

/** Keys of JSON objects whose value is a secret or names an account, in lower case. */
const SECRET_KEYS: ReadonlySet<string> = new Set([
  'access_token',
  'account_uuid',
  'api-key',
  'api_key',
  'apikey',
  'auth_token',
  'authorization',
  'client_secret',
  'cookie',
  'device_id',
  'id_token',
  'passwd',
  'password',
  'private_key',
  'proxy-authorization',
  'refresh_token',
  'secret',
  'session_token',
  'set-cookie',
  'token',
  'user_id',
  'x-api-key',
]);

/** What every shape has at least one of; most texts of the ledger have none and pass at once. */
const SUSPECT =
  /sk-|eyJ|[@:=,]|bearer|[0-9a-f]{32}|gh[opsru]_|github_pat_|xox|AKIA|AIza|PRIVATE KEY/i;

/** The text with everything that looks like a secret replaced by `[redacted]`. */
export function redactText(text: string): string {
  if (!SUSPECT.test(text)) return text;
  let clean = text;
  for (const [shape, replacement] of SHAPES) clean = clean.replace(shape, replacement);
  return clean;
}

/** A copy of a JSON value with secrets replaced, by the names of their keys and by their shape. */
export function redactJson(value: unknown): unknown {
  return redactValue(value, 0);
}

function redactValue(value: unknown, depth: number): unknown {
  if (typeof value === 'string') return redactText(value);
  if (typeof value !== 'object' || value === null) return value;
  if (depth >= DEPTH_MAX) return REDACTED;
  if (Array.isArray(value)) return value.map((item) => redactValue(item, depth + 1));
  const entries = Object.entries(value).map(([key, inner]) => [
    redactText(key),
    SECRET_KEYS.has(key.toLowerCase()) ? REDACTED : redactValue(inner, depth + 1),
  ]);
  return Object.fromEntries(entries);
}
