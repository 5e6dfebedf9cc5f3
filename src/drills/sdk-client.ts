/**
 * The official SDK as a drill's client. It is a development dependency: where it is not installed,
 * there is no such client.
 *
 * The SDK parses the stream; the bytes beneath it are heard on their way in, so that they can be
 * compared as those of the built-in client are. They are heard to their end, also where the SDK gives
 * up over what they say.
 */
import type Anthropic from '@anthropic-ai/sdk';
import { createListener, type Listener } from './listener.ts';
import { API_HOST, bodyOf, fieldsOf } from './request-text.ts';
import type { Access, DrillClient, DrillRequest, FailureKind, Heard } from './types.ts';

type Undici = typeof import('undici');
type Sdk = typeof import('@anthropic-ai/sdk');
type Init = Omit<import('undici').RequestInit, 'dispatcher'>;

/** Makes clients that share nothing. */
export type SdkClients = (access: Access) => DrillClient;

/** Loads the SDK. @returns null where it, or the client beneath it, is not installed */
export async function loadSdkClients(): Promise<SdkClients | null> {
  try {
    const [sdk, undici] = await Promise.all([import('@anthropic-ai/sdk'), import('undici')]);
    return (access) => createSdkClient(sdk, undici, access);
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ERR_MODULE_NOT_FOUND') {
      return null;
    }
    throw error;
  }
}

function createSdkClient(sdk: Sdk, undici: Undici, access: Access): DrillClient {
  const patience = { headersTimeout: access.stallMs, bodyTimeout: access.stallMs };
  const dispatcher =
    access.via === 'connect'
      ? new undici.ProxyAgent({
          uri: access.url.origin,
          ...patience,
          ...(access.ca === null ? {} : { requestTls: { ca: access.ca } }),
        })
      : new undici.Agent(patience);
  let listener: Listener | null = null;
  let overheard: Promise<FailureKind | null> | null = null;
  // The SDK's signal is left out: it aborts what it does not understand, and the rest is wanted too.
  const fetchHeard = async (input: string, { signal: _, ...init }: Init): Promise<unknown> => {
    const heard = listener;
    overheard = null;
    const { status, headers, body } = await undici.fetch(input, { ...init, dispatcher });
    heard?.head(status, [...headers]);
    const [ours, theirs] = body?.tee() ?? [null, null];
    overheard = overhear(ours, heard);
    return new undici.Response(theirs, { status, headers });
  };
  const [name, value] = access.credential;
  const client = new sdk.default({
    apiKey: name === 'x-api-key' ? value : null,
    authToken: name === 'authorization' ? value.replace(/^Bearer /, '') : null,
    baseURL: access.via === 'connect' ? `https://${API_HOST}` : access.url.origin,
    defaultHeaders: Object.fromEntries(fieldsOf(access)),
    maxRetries: 0,
    timeout: access.stallMs,
    logLevel: 'off',
    // The package's own fetch: the one inside Node may not take this package's dispatcher.
    fetch: fetchHeard as unknown as typeof fetch,
  });
  let closed = false;
  return {
    ask: async (request) => {
      const mine = createListener(request.stream);
      listener = mine;
      overheard = null;
      const refused = await ask(sdk, client, request);
      const isHeard = overheard !== null;
      const broken = await overheard;
      const failure = broken ?? refused;
      return mine.done(
        closed && failure !== null ? 'abandoned' : failure,
        failure !== 'connect',
        isHeard && broken === null,
      );
    },
    close: async () => {
      closed = true;
      await dispatcher.destroy();
    },
  };
}

async function ask(sdk: Sdk, client: Anthropic, request: DrillRequest): Promise<Heard['failure']> {
  try {
    if (request.stream) {
      const stream = await client.messages.create({ ...bodyOf(request), stream: true });
      for await (const event of stream) void event;
    } else {
      await client.messages.create(bodyOf(request));
    }
    return null;
  } catch (error) {
    return failureOf(sdk, error);
  }
}

/** Hears a payload. @returns how it broke off, or null where it came to its end */
async function overhear(
  body: AsyncIterable<Uint8Array> | null,
  listener: Listener | null,
): Promise<FailureKind | null> {
  try {
    for await (const piece of body ?? []) {
      listener?.payload(Buffer.from(piece.buffer, piece.byteOffset, piece.byteLength));
    }
    return null;
  } catch (error) {
    const codes = codesOf(error);
    if (codes.includes('UND_ERR_BODY_TIMEOUT')) return 'stall';
    return codes.includes('ECONNRESET') ? 'reset' : 'cut';
  }
}

/** What failed before there was an answer, or in reading one. */
function failureOf(sdk: Sdk, error: unknown): FailureKind | null {
  if (error instanceof sdk.APIConnectionTimeoutError) return 'stall';
  if (error instanceof sdk.APIConnectionError) {
    const codes = codesOf(error);
    if (codes.includes('UND_ERR_HEADERS_TIMEOUT')) return 'stall';
    return codes.includes('ECONNREFUSED') ? 'connect' : 'reset';
  }
  // An error that came whole, as an answer or within a stream, is no failure of the exchange.
  return error instanceof sdk.APIError ? null : 'protocol';
}

function codesOf(error: unknown): string[] {
  const codes: string[] = [];
  let cause = error;
  for (let depth = 0; depth < 5 && cause instanceof Error; depth += 1) {
    if ('code' in cause) codes.push(String(cause.code));
    cause = cause.cause;
  }
  return codes;
}
