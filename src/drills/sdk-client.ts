/**
 * The official SDK as a drill's client. It is a development dependency: where it is not installed,
 * there is no such client.
 *
 * The SDK parses the stream; the bytes beneath it are heard on their way in, so that they can be
 * compared as those of the built-in client are. They are heard to their end, also where the SDK gives
 * up over what they say.
 */
import type Anthropic from '@anthropic-ai/sdk';
import type { Field } from '../core/message.ts';
import { createListener, type Listener } from './listener.ts';
import { API_HOST, bodyOf, fieldsOf, proxyLogin } from './request-text.ts';
import type { Access, DrillClient, DrillRequest, FailureKind, Heard } from './types.ts';

type Undici = typeof import('undici');
type Sdk = typeof import('@anthropic-ai/sdk');
type Init = Omit<import('undici').RequestInit, 'dispatcher'>;
type Handler = import('undici').Dispatcher.DispatchHandler;

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
  const login = proxyLogin(access.url);
  let hearing: Hearing | null = null;
  const agent =
    access.via === 'connect'
      ? new undici.ProxyAgent({
          uri: access.url.origin,
          ...patience,
          ...(login === null ? {} : { token: login }),
          ...(access.ca === null ? {} : { requestTls: { ca: access.ca } }),
        })
      : new undici.Agent(patience);
  const dispatcher = agent.compose((dispatch) => (options, handler) => {
    return dispatch(options, hearing === null ? handler : overhear(handler, hearing));
  });
  // The SDK's signal is left out, and one branch of the answer is kept from it: it leaves where it does
  // not understand an answer, and what follows is wanted too.
  const fetchHeard = async (input: string, { signal: _, ...init }: Init): Promise<unknown> => {
    const { status, headers, body } = await undici.fetch(input, { ...init, dispatcher });
    const [rest, theirs] = body?.tee() ?? [null, null];
    void rest?.pipeTo(new WritableStream()).catch(() => undefined);
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
      const heard = hearingOf(createListener(request.stream));
      hearing = heard;
      const refused = await ask(sdk, client, request);
      const end = heard.begun ? await heard.over : null;
      const failure = end?.failure ?? refused;
      return heard.listener.done(
        closed && failure !== null ? 'abandoned' : failure,
        failure !== 'connect',
        end !== null && end.failure === null,
      );
    },
    close: async () => {
      closed = true;
      await agent.destroy();
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

/** What is heard of one exchange beneath the SDK, in the form in which it came. */
interface Hearing {
  readonly listener: Listener;
  /** A head has come. */
  begun: boolean;
  /** How the answer ended. */
  readonly over: Promise<{ readonly failure: FailureKind | null }>;
  readonly end: (how: { readonly failure: FailureKind | null }) => void;
}

function hearingOf(listener: Listener): Hearing {
  const { promise, resolve } = Promise.withResolvers<{ readonly failure: FailureKind | null }>();
  return { listener, begun: false, over: promise, end: resolve };
}

/** Passes on what a connection tells its handler, and tells the listener too. */
function overhear(handler: Handler, heard: Hearing): Handler {
  return {
    onRequestStart: (...told) => handler.onRequestStart?.(...told),
    onRequestUpgrade: (...told) => handler.onRequestUpgrade?.(...told),
    onResponseStart: (controller, status, headers, message) => {
      // An interim answer is none.
      if (status >= 200) {
        heard.begun = true;
        heard.listener.head(status, fieldsOfAnswer(headers));
      }
      handler.onResponseStart?.(controller, status, headers, message);
    },
    onResponseData: (controller, piece) => {
      heard.listener.payload(piece);
      handler.onResponseData?.(controller, piece);
    },
    onResponseEnd: (controller, trailers) => {
      heard.end({ failure: null });
      handler.onResponseEnd?.(controller, trailers);
    },
    onResponseError: (controller, error) => {
      const codes = codesOf(error);
      const isReset = codes.includes('ECONNRESET');
      const isStall = codes.includes('UND_ERR_BODY_TIMEOUT');
      heard.end({ failure: isStall ? 'stall' : isReset ? 'reset' : 'cut' });
      handler.onResponseError?.(controller, error);
    },
  };
}

function fieldsOfAnswer(headers: Readonly<Record<string, string | string[] | undefined>>): Field[] {
  return Object.entries(headers).map(([name, value]) => [name, String(value)]);
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
