/**
 * The official SDK as a drill's client. It is a development dependency: where it is not installed,
 * there is no such client.
 *
 * The SDK parses the stream; the bytes beneath it are heard on their way in, so that they can be
 * compared as those of the built-in client are.
 */
import type Anthropic from '@anthropic-ai/sdk';
import { createListener, type Listener } from './listener.ts';
import { API_HOST, bodyOf, fieldsOf } from './request-text.ts';
import type { Access, DrillClient, DrillRequest, FailureKind, Heard } from './types.ts';

type Undici = typeof import('undici');
type Sdk = typeof import('@anthropic-ai/sdk');

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
  const fetchHeard = async (input: string, init: object): Promise<unknown> => {
    const answer = await undici.fetch(input, { ...init, dispatcher });
    const heard = listener;
    heard?.head(answer.status);
    const overheard = answer.body?.pipeThrough(
      new TransformStream<Uint8Array, Uint8Array>({
        transform(piece, controller) {
          heard?.payload(Buffer.from(piece.buffer, piece.byteOffset, piece.byteLength));
          controller.enqueue(piece);
        },
      }),
    );
    const { status, headers } = answer;
    return new undici.Response(overheard ?? null, { status, headers });
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
      const failure = await ask(sdk, client, request);
      return mine.done(closed && failure !== null ? 'abandoned' : failure, failure !== 'connect');
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

function failureOf(sdk: Sdk, error: unknown): FailureKind | null {
  if (error instanceof sdk.APIConnectionTimeoutError) return 'stall';
  if (error instanceof sdk.APIConnectionError) return isRefused(error) ? 'connect' : 'reset';
  // An error answer that came whole is no failure of the exchange: its status tells.
  if (error instanceof sdk.APIError && error.status !== undefined) return null;
  return error instanceof SyntaxError ? 'protocol' : 'cut';
}

function isRefused(error: Error): boolean {
  const codes: string[] = [];
  let cause: unknown = error.cause;
  for (let depth = 0; depth < 4 && cause instanceof Error; depth += 1) {
    if ('code' in cause) codes.push(String(cause.code));
    cause = cause.cause;
  }
  return codes.includes('ECONNREFUSED');
}
