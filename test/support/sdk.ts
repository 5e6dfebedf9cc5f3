/**
 * The official SDK as a client of the whole: straight to an upstream, through CONNECT, or with the
 * proxy as its base URL; over HTTP/1.1 or HTTP/2.
 */
import Anthropic from '@anthropic-ai/sdk';
import { Agent, type Dispatcher, H2CClient, ProxyAgent, fetch as undiciFetch } from 'undici';

/** A key that looks like one and is none. */
export const FAKE_API_KEY = 'sk-ant-api03-fake-0123456789';

export type SdkRoute =
  /** To an https upstream itself; `baseUrl` with its base path. */
  | { readonly mode: 'direct'; readonly baseUrl: string; readonly ca: string }
  /** As with HTTPS_PROXY: `CONNECT api.anthropic.com:443` at the proxy, whose authority is `ca`. */
  | {
      readonly mode: 'connect';
      readonly proxyUrl: string;
      readonly ca: string;
      /** Default `https://api.anthropic.com`. */
      readonly baseUrl?: string;
    }
  /** As with ANTHROPIC_BASE_URL: plain HTTP to the proxy. */
  | { readonly mode: 'gateway'; readonly proxyUrl: string };

export interface SdkOptions {
  readonly route: SdkRoute;
  /** Default `h1`. With `gateway`, `h2` is h2c with prior knowledge. */
  readonly protocol?: 'h1' | 'h2';
  /** Default `FAKE_API_KEY`. */
  readonly apiKey?: string;
  /** Default 0: a test sees each failure itself. */
  readonly maxRetries?: number;
  readonly headers?: Readonly<Record<string, string>>;
}

export interface SdkClient {
  readonly client: Anthropic;
  /** Closes its connections at once. */
  close(): Promise<void>;
}

/** Makes a client. Its environment has no say: key, base URL and proxy are given here. */
export function sdkClient(options: SdkOptions): SdkClient {
  const { route, protocol = 'h1' } = options;
  const dispatcher = dispatcherFor(route, protocol);
  // The runtime's own fetch may be of another undici than the dispatcher: theirs must be one.
  const fetch = undiciFetch as unknown as typeof globalThis.fetch;
  const client = new Anthropic({
    apiKey: options.apiKey ?? FAKE_API_KEY,
    authToken: null,
    baseURL: baseUrlOf(route),
    maxRetries: options.maxRetries ?? 0,
    defaultHeaders: options.headers ?? {},
    fetch,
    fetchOptions: { dispatcher } as Record<string, unknown>,
  });
  return { client, close: () => dispatcher.destroy() };
}

function baseUrlOf(route: SdkRoute): string {
  switch (route.mode) {
    case 'direct':
      return route.baseUrl;
    case 'connect':
      return route.baseUrl ?? 'https://api.anthropic.com';
    case 'gateway':
      return route.proxyUrl;
  }
}

/** What carries the client's requests: connections that way, of that protocol. */
export function dispatcherFor(route: SdkRoute, protocol: 'h1' | 'h2'): Dispatcher {
  const allowH2 = protocol === 'h2';
  switch (route.mode) {
    case 'direct':
      return new Agent({ allowH2, connect: { ca: route.ca, allowH2 } });
    case 'connect':
      return new ProxyAgent({
        uri: route.proxyUrl,
        allowH2,
        requestTls: {
          ca: route.ca,
          allowH2,
          servername: new URL(baseUrlOf(route)).hostname,
        },
      });
    case 'gateway':
      return allowH2 ? new H2CClient(route.proxyUrl) : new Agent({ allowH2: false });
  }
}
