/** The demo's client where the SDK is not installed: plain HTTP/1.1 over the same tunnel and TLS. */
import http, { type IncomingMessage } from 'node:http';

import { openTunnel } from '../tunnel.ts';
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

/** The parts of an answer, or of an event, that the demo reads. */
interface Message {
  readonly type?: string;
  readonly model?: string;
  readonly stop_reason?: string | null;
  readonly content?: readonly { readonly text?: string }[];
  readonly message?: { readonly model?: string };
  readonly delta?: { readonly text?: string };
}

/** A client for the proxy at `url`. */
export function rawClient(url: string, ca: string): DemoClient {
  return {
    name: 'plain HTTP/1.1',
    ask: (request) => ask(new URL(url), ca, request),
    close: async () => undefined,
  };
}

async function ask(url: URL, ca: string, request: DemoRequest): Promise<Heard> {
  const response = await send(url, ca, request);
  const parts: Buffer[] = [];
  for await (const part of response as AsyncIterable<Buffer>) parts.push(part);
  const text = Buffer.concat(parts).toString('utf8');
  const status = response.statusCode ?? 0;
  return request.stream ? hearStream(status, text) : hearOnce(status, text);
}

async function send(url: URL, ca: string, request: DemoRequest): Promise<IncomingMessage> {
  const body = JSON.stringify({
    model: request.model,
    max_tokens: ANSWER_TOKENS_MAX,
    metadata: { user_id: ACCOUNT_CANARY },
    messages: [{ role: 'user', content: request.prompt }],
    stream: request.stream,
  });
  const secure = await openTunnel(url, DEMO_HOST, ca);
  return new Promise((resolve, reject) => {
    const sent = http.request({
      createConnection: () => secure,
      method: 'POST',
      path: '/v1/messages',
      headers: {
        host: DEMO_HOST,
        'content-type': 'application/json',
        'content-length': Buffer.byteLength(body),
        authorization: `Bearer ${CLIENT_CANARY}`,
        'anthropic-beta': LOGIN_BETA,
        'anthropic-version': '2023-06-01',
        connection: 'close',
      },
    });
    sent.on('error', reject);
    sent.once('response', resolve);
    sent.end(body);
  });
}

function hearOnce(status: number, body: string): Heard {
  const message = JSON.parse(body) as Message;
  const text = (message.content ?? []).map((block) => block.text ?? '').join('');
  const whole = (message.stop_reason ?? null) !== null;
  return { status, model: message.model ?? '', text, events: 0, whole };
}

function hearStream(status: number, body: string): Heard {
  const heard = { status, model: '', text: '', events: 0, whole: false };
  for (const line of body.split('\n')) {
    if (!line.startsWith('data: ')) continue;
    const event = JSON.parse(line.slice('data: '.length)) as Message;
    heard.events += 1;
    heard.model = event.message?.model ?? heard.model;
    heard.text += event.delta?.text ?? '';
    heard.whole = event.type === 'message_stop';
  }
  return heard;
}
