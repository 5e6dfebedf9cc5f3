/** The whole job on mockttp: a matcher on the body, a rewritten request, usage from its `response` event. */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { settings } from '../floors/settings.ts';
import { usageIn, usageNotes } from '../floors/usage.ts';

/** What is used of the package. */
interface Mockttp {
  generateCACertificate(options: object): Promise<{ key: string; cert: string }>;
  getLocal(options: object): Server;
}
interface Server {
  forPost(): Rule;
  forAnyRequest(): Rule;
  on(event: 'response', hear: (response: Response) => void): Promise<void>;
  start(port: number): Promise<void>;
}
interface Rule {
  matching(matches: (request: Request) => Promise<boolean>): Rule;
  always(): Rule;
  thenPassThrough(options: object): Promise<unknown>;
}
interface Request {
  readonly body: { getJson(): Promise<unknown> };
}
interface Response {
  readonly statusCode: number;
  readonly body: { getText(): Promise<string | undefined> };
}

const { port, upstreamPort, host, secondKey, usageFile, folder } = settings();
const note = usageNotes(usageFile);
const peers = join(process.env['BENCH_PEERS'] ?? '.', 'package.json');
const mockttp = createRequire(peers)('mockttp') as Mockttp;
const address = `127.0.0.1:${upstreamPort}`;

async function authority(): Promise<{ key: string; cert: string }> {
  const files = { key: join(folder, 'mockttp-ca.key'), cert: join(folder, 'mockttp-ca.pem') };
  if (!existsSync(files.cert)) {
    const made = await mockttp.generateCACertificate({ subject: { commonName: 'bench mockttp' } });
    writeFileSync(files.key, made.key, { mode: 0o600 });
    writeFileSync(files.cert, made.cert);
  }
  return { key: readFileSync(files.key, 'utf8'), cert: readFileSync(files.cert, 'utf8') };
}

async function isSmall(request: Request): Promise<boolean> {
  const body = (await request.body.getJson()) as { model?: string } | undefined;
  return body?.model?.includes('haiku') === true;
}

const server = mockttp.getLocal({
  https: await authority(),
  http2: false,
  recordTraffic: false,
  maxBodySize: 64 * 2 ** 20,
});
await server
  .forPost()
  .matching(isSmall)
  .always()
  .thenPassThrough({
    transformRequest: {
      replaceHost: { targetHost: address, updateHostHeader: 'api.z.ai' },
      matchReplacePath: [[/^/, '/api/anthropic']],
      updateHeaders: { authorization: undefined, 'x-api-key': secondKey },
    },
  });
await server
  .forAnyRequest()
  .always()
  .thenPassThrough({
    transformRequest: { replaceHost: { targetHost: address, updateHostHeader: host } },
  });
await server.on('response', (response) => {
  void response.body.getText().then((text) => {
    if (response.statusCode === 200) note('unknown', usageIn(text ?? ''));
  });
});
await server.start(port);
