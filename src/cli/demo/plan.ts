/** What the demo asks, and what must come of it. */

/** A request of the demo. */
export interface DemoRequest {
  readonly model: string;
  readonly stream: boolean;
  /** Goes to the twin as the only message. */
  readonly prompt: string;
  /** What the answer must say. */
  readonly answer: string;
  readonly lane: 'anthropic' | 'zai';
}

/** What the client heard. */
export interface Heard {
  readonly status: number;
  readonly model: string;
  readonly text: string;
  /** Events of a stream; 0 for an answer in one piece. */
  readonly events: number;
  /** The answer came to its proper end. */
  readonly whole: boolean;
}

export interface DemoClient {
  /** How the client is called in the result. */
  readonly name: string;
  ask(request: DemoRequest): Promise<Heard>;
  close(): Promise<void>;
}

/** The host that the demo's client believes it talks to. */
export const DEMO_HOST = 'api.anthropic.com';
/** The client's own credential: a canary that must be seen at anthropic and nowhere else. */
export const CLIENT_CANARY = 'sk-ant-oat01-demo-canary-0123456789';
/** The client's account id: must not travel on a keyed lane. */
export const ACCOUNT_CANARY = 'user_demo_account_canary';
/** The key of the zai lane: must be seen at zai and nowhere else. */
export const ZAI_CANARY = 'demo-zai-key-canary-0123456789';
/** The id that the zai lane puts in place of Haiku's. */
export const ZAI_MODEL = 'glm-4.5-air';
/** A subscription's login says so with each request. */
export const LOGIN_BETA = 'oauth-2025-04-20';
export const ANSWER_TOKENS_MAX = 2000;

const SONNET = 'claude-sonnet-5-5';
const HAIKU = 'claude-haiku-5-5';
const LONG_STREAM_EVENTS = 300;
const ROUNDS = 2;

/** All requests, in their order: both lanes in turn, streaming and not, and a long stream each. */
export function demoPlan(): readonly DemoRequest[] {
  const plan: DemoRequest[] = [];
  for (let round = 1; round <= ROUNDS; round += 1) {
    for (const stream of [true, false]) {
      plan.push(saying(SONNET, stream, `sonnet answer ${round}`));
      plan.push(saying(HAIKU, stream, `haiku answer ${round}`));
    }
  }
  plan.push(counting(SONNET), counting(HAIKU));
  return plan;
}

function saying(model: string, stream: boolean, answer: string): DemoRequest {
  return { model, stream, prompt: `[twin: say ${answer}]`, answer, lane: laneOf(model) };
}

function counting(model: string): DemoRequest {
  const numbers = Array.from({ length: LONG_STREAM_EVENTS }, (_, index) => `${index + 1} `);
  const prompt = `[twin: events ${LONG_STREAM_EVENTS}]`;
  return { model, stream: true, prompt, answer: numbers.join(''), lane: laneOf(model) };
}

function laneOf(model: string): DemoRequest['lane'] {
  return model === HAIKU ? 'zai' : 'anthropic';
}
