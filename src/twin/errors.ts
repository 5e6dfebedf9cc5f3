/**
 * The error tables of both upstreams: statuses and types of the Messages API, and Z.AI's business
 * codes, which its status alone does not tell apart.
 */

interface ErrorRow {
  readonly type: string;
  readonly message: string;
}

const BY_STATUS: Readonly<Record<number, ErrorRow>> = {
  400: { type: 'invalid_request_error', message: 'The request is invalid.' },
  401: { type: 'authentication_error', message: 'invalid x-api-key' },
  402: { type: 'billing_error', message: 'Your credit balance is too low.' },
  403: { type: 'permission_error', message: 'Your key may not use this resource.' },
  404: { type: 'not_found_error', message: 'Not found' },
  405: { type: 'invalid_request_error', message: 'Method Not Allowed' },
  408: { type: 'timeout_error', message: 'Request timed out' },
  409: { type: 'conflict_error', message: 'The resource was changed meanwhile.' },
  413: { type: 'request_too_large', message: 'Request exceeds the maximum size' },
  429: { type: 'rate_limit_error', message: 'This request would exceed your rate limit.' },
  500: { type: 'api_error', message: 'Internal server error' },
  503: { type: 'api_error', message: 'Service unavailable' },
  504: { type: 'timeout_error', message: 'Request timed out' },
  529: { type: 'overloaded_error', message: 'Overloaded' },
};

/** Type and text of a status, as the Messages API names them. */
export function anthropicError(status: number): ErrorRow {
  return (
    BY_STATUS[status] ??
    (status < 500
      ? { type: 'invalid_request_error', message: 'The request is invalid.' }
      : { type: 'api_error', message: 'Internal server error' })
  );
}

/** The text that goes with a type of error. */
export function anthropicErrorOfType(type: string): string {
  return (
    Object.values(BY_STATUS).find((row) => row.type === type)?.message ?? 'Internal server error'
  );
}

interface BusinessRow {
  readonly status: number;
  readonly message: string;
}

const BUSINESS: Readonly<Record<string, BusinessRow>> = {
  '1000': { status: 401, message: 'Authentication Failed' },
  '1001': { status: 401, message: 'Authentication parameter not received in Header' },
  '1002': { status: 401, message: 'Invalid Authentication Token' },
  '1003': { status: 401, message: 'Authentication Token expired' },
  '1004': { status: 401, message: 'Authentication failed with the provided Authentication Token' },
  '1112': { status: 403, message: 'Your account has been locked' },
  '1113': { status: 429, message: 'Insufficient balance or no resource package. Please recharge.' },
  '1210': { status: 400, message: 'Invalid API parameter' },
  '1211': { status: 400, message: 'Unknown Model, please check the model code.' },
  '1213': { status: 400, message: 'A required parameter was not received properly' },
  '1214': { status: 400, message: 'A parameter is illegal' },
  '1231': { status: 400, message: 'You already have a request with the same id' },
  '1234': { status: 500, message: 'Network error, please try again later' },
  '1261': { status: 400, message: 'Prompt exceeds max length' },
  '1301': { status: 400, message: 'Potentially unsafe or sensitive content was detected' },
  '1302': { status: 429, message: 'Rate limit reached for requests' },
  '1303': { status: 429, message: 'High frequency usage of this API' },
  '1304': { status: 429, message: 'Daily call limit for this API reached' },
  '1305': { status: 429, message: 'The service may be temporarily overloaded' },
  '1308': { status: 429, message: 'Usage limit reached for 5 hour. It will reset later.' },
  '1309': { status: 429, message: 'Your coding plan has expired' },
  '1310': { status: 429, message: 'Weekly/Monthly Limit Exhausted. It will reset later.' },
  '1311': { status: 429, message: 'Your plan does not include this model' },
  '1312': { status: 429, message: 'This model is busy, please try again' },
  '1313': { status: 429, message: 'Restricted by the fair use policy' },
};

const BUSINESS_OF_STATUS: Readonly<Record<number, string>> = {
  400: '1210',
  401: '1000',
  402: '1113',
  403: '1112',
  413: '1261',
  429: '1302',
  529: '1305',
};

/** Code, text and usual status of a business error, by its code or, failing that, by a status. */
export function zaiError(
  status: number,
  code: string | null,
): { code: string; status: number; message: string } {
  const known = code ?? BUSINESS_OF_STATUS[status] ?? null;
  const row = known === null ? undefined : BUSINESS[known];
  return {
    code: known ?? String(status),
    status: row?.status ?? status,
    message: row?.message ?? anthropicError(status).message,
  };
}
