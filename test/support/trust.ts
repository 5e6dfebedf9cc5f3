/** One request through a proxy's plain port, as a client of gateway mode sends it. */
import http from 'node:http';

/** What came back. */
export interface Asked {
  readonly status: number;
  readonly headers: http.IncomingHttpHeaders;
  readonly text: string;
}

/** Asks for a Haiku answer; `headers` are added. */
export function askHaiku(
  proxy: { readonly port: number },
  headers: Readonly<Record<string, string>> = {},
): Promise<Asked> {
  const body = JSON.stringify({
    model: 'claude-haiku-5-5',
    max_tokens: 16,
    messages: [{ role: 'user', content: 'hello' }],
  });
  return new Promise((resolve, reject) => {
    const request = http.request(
      {
        host: '127.0.0.1',
        port: proxy.port,
        method: 'POST',
        path: '/v1/messages',
        headers: { 'x-api-key': 'fake-key-of-tests', ...headers },
        agent: false,
      },
      (response) => {
        let text = '';
        response.setEncoding('utf8').on('data', (piece: string) => {
          text += piece;
        });
        response.once('error', reject).once('end', () => {
          resolve({ status: response.statusCode ?? 0, headers: response.headers, text });
        });
      },
    );
    request.once('error', reject).end(body);
  });
}
