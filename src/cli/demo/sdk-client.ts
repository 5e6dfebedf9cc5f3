/**
 * The demo's client: the official SDK, through the proxy, trusting the proxy's bundle. Null where the
 * SDK is not installed (it is a development dependency).
 */
import type Anthropic from '@anthropic-ai/sdk';

import {
  ACCOUNT_CANARY,
  ANSWER_TOKENS_MAX,
  CLIENT_CANARY,
  DEMO_HOST,
  type DemoClient,
  type DemoRequest,
  type Heard,
  LOGIN_BETA,
} from './plan.ts';

/** A client for the proxy at `url`. */
export async function sdkClient(url: string, ca: string): Promise<DemoClient | null> {
  const modules = await load();
  if (modules === null) return null;
  const { sdk, undici } = modules;
  const dispatcher = new undici.ProxyAgent({ uri: url, requestTls: { ca } });
  const client = new sdk.default({
    apiKey: null,
    authToken: CLIENT_CANARY,
    baseURL: `https://${DEMO_HOST}`,
    defaultHeaders: { 'anthropic-beta': LOGIN_BETA },
    maxRetries: 0,
    logLevel: 'off',
    // The package's own fetch: the one inside Node may not take this package's dispatcher.
    fetch: ((input: string, init: object) =>
      undici.fetch(input, { ...init, dispatcher })) as unknown as typeof fetch,
  });
  return {
    name: '@anthropic-ai/sdk',
    ask: (request) => (request.stream ? askStream(client, request) : askOnce(client, request)),
    close: () => dispatcher.close(),
  };
}

async function load() {
  try {
    const [sdk, undici] = await Promise.all([import('@anthropic-ai/sdk'), import('undici')]);
    return { sdk, undici };
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ERR_MODULE_NOT_FOUND') {
      return null;
    }
    throw error;
  }
}

function bodyOf(request: DemoRequest) {
  return {
    model: request.model,
    max_tokens: ANSWER_TOKENS_MAX,
    metadata: { user_id: ACCOUNT_CANARY },
    messages: [{ role: 'user' as const, content: request.prompt }],
  };
}

async function askOnce(client: Anthropic, request: DemoRequest): Promise<Heard> {
  const { data, response } = await client.messages.create(bodyOf(request)).withResponse();
  const text = data.content.map((block) => (block.type === 'text' ? block.text : '')).join('');
  return {
    status: response.status,
    model: data.model,
    text,
    events: 0,
    whole: data.stop_reason !== null,
  };
}

async function askStream(client: Anthropic, request: DemoRequest): Promise<Heard> {
  const { data, response } = await client.messages
    .create({ ...bodyOf(request), stream: true })
    .withResponse();
  const heard = { status: response.status, model: '', text: '', events: 0, whole: false };
  for await (const event of data) {
    heard.events += 1;
    if (event.type === 'message_start') heard.model = event.message.model;
    if (event.type === 'message_stop') heard.whole = true;
    if (event.type === 'content_block_delta' && event.delta.type === 'text_delta') {
      heard.text += event.delta.text;
    }
  }
  return heard;
}
