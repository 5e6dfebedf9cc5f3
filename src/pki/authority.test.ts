import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { createPrivateKey, generateKeyPairSync, X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { createServer } from 'node:tls';
import fc from '../../test/support/properties.ts';
import { mintAuthority, mintServer } from './authority.ts';
import { constraintsText, createIssuer } from './certificate.ts';
import { PkiError } from './errors.ts';
import { normaliseHosts } from './hosts.ts';

const HOST = 'api.anthropic.com';
const DAY = 24 * 60 * 60_000;
const dir = mkdtempSync(join(tmpdir(), 'lanekeeper-pki-'));
after(() => rmSync(dir, { recursive: true }));

interface Leaf {
  readonly certPem: string;
  readonly keyPem: string;
}

/** An authority as `mintAuthority` makes it, except that it is asked to sign what it must not. */
async function mintUnderTestCa(
  leaves: readonly { readonly names: readonly string[]; readonly ips?: readonly string[] }[],
): Promise<{ caCertPem: string; leaves: readonly Leaf[] }> {
  const now = Date.now();
  const life = { notBefore: new Date(now - DAY), notAfter: new Date(now + DAY) };
  const issuer = await createIssuer({ ...life, permitted: [HOST], commonName: (id) => `CA ${id}` });
  const signed = leaves.map(async ({ names, ips }) => {
    const keys = generateKeyPairSync('ec', { namedCurve: 'prime256v1' });
    return {
      certPem: await issuer.issue({ ...life, names, ips: ips ?? [], publicKey: keys.publicKey }),
      keyPem: keys.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
    };
  });
  return { caCertPem: issuer.certPem, leaves: await Promise.all(signed) };
}

function opensslVerify(ca: string, leaf: string): string {
  const [caFile, leafFile] = [join(dir, 'verify-ca.pem'), join(dir, 'verify-leaf.pem')];
  writeFileSync(caFile, ca);
  writeFileSync(leafFile, leaf);
  const args = ['verify', '-x509_strict', '-purpose', 'sslserver', '-CAfile', caFile, leafFile];
  const result = spawnSync('openssl', args, { encoding: 'utf8' });
  return result.stdout + result.stderr;
}

function opensslText(certificate: string): string {
  const result = spawnSync('openssl', ['x509', '-noout', '-text'], {
    input: certificate,
    encoding: 'utf8',
  });
  return result.stdout.replace(/[ \n]+/g, ' ');
}

const hasOpenssl = spawnSync('openssl', ['version']).status === 0;
const needsOpenssl = { skip: hasOpenssl ? false : 'openssl is not installed' };

/** What a Node client that trusts `ca` through its environment says to a server, by leaf. */
async function connectFromNode(
  ca: string,
  leaf: Leaf,
  servername: string,
): Promise<{ authorized: boolean; message: string }> {
  const caFile = join(dir, 'extra-ca.pem');
  writeFileSync(caFile, ca);
  const server = createServer({ cert: leaf.certPem, key: leaf.keyPem }, (socket) => {
    socket.on('error', () => {});
    socket.end();
  });
  server.on('tlsClientError', () => {});
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const script = `
    const say = (authorized, message) => console.log(JSON.stringify({ authorized, message }));
    const socket = require('node:tls').connect({
      host: '127.0.0.1', port: ${(server.address() as AddressInfo).port},
      servername: ${JSON.stringify(servername)},
    });
    socket.on('secureConnect', () => { say(true, ''); socket.destroy(); });
    socket.on('error', (error) => say(false, error.message));`;
  const child = spawn(process.execPath, ['-e', script], {
    env: { NODE_EXTRA_CA_CERTS: caFile },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let output = '';
  child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
    output += chunk;
  });
  await once(child, 'close');
  server.close();
  return JSON.parse(output) as { authorized: boolean; message: string };
}

test('a minted leaf names exactly the hosts, by its own key, under its authority', async () => {
  const now = new Date('2030-05-06T07:08:09Z');
  const minted = await mintAuthority({ hosts: ['B.example', HOST], now });
  const ca = new X509Certificate(minted.caCertPem);
  const leaf = new X509Certificate(minted.leafCertPem);
  assert.equal(leaf.subjectAltName, `DNS:${HOST}, DNS:b.example`);
  assert.ok(leaf.checkPrivateKey(createPrivateKey(minted.leafKeyPem)));
  assert.ok(leaf.checkIssued(ca) && leaf.verify(ca.publicKey));
  assert.ok(ca.ca && !leaf.ca);
  assert.match(ca.subject, /CN=Lanekeeper local CA 2030-05-06 [0-9a-f]{8}$/);
  assert.equal(leaf.validFromDate.getTime(), now.getTime() - DAY);
  assert.equal(leaf.validToDate.getTime(), minted.notAfter.getTime());
  assert.equal(minted.notAfter.getTime() - leaf.validFromDate.getTime(), 397 * DAY);
  assert.ok(ca.validToDate >= leaf.validToDate);
});

test('nothing that is minted holds a second private key', async () => {
  const minted = await mintAuthority({ hosts: [HOST], now: new Date() });
  const keys = Object.values(minted).filter((value) => String(value).includes('PRIVATE KEY'));
  assert.deepEqual(keys, [minted.leafKeyPem]);
  const ca = new X509Certificate(minted.caCertPem);
  assert.ok(!ca.checkPrivateKey(createPrivateKey(minted.leafKeyPem)));
});

test('serial numbers are positive, 128 bits long and differ', async () => {
  const minted = await Promise.all(
    Array.from({ length: 20 }, () => mintAuthority({ hosts: [HOST], now: new Date() })),
  );
  const serials = minted.flatMap(({ caCertPem, leafCertPem }) =>
    [caCertPem, leafCertPem].map((pem) => new X509Certificate(pem).serialNumber),
  );
  assert.equal(new Set(serials).size, 40);
  for (const serial of serials) assert.match(serial, /^[4-7][0-9A-F]{31}$/);
});

test('signatures verify whatever the leading bits of their halves are', async () => {
  const { caCertPem, leaves } = await mintUnderTestCa(
    Array.from({ length: 300 }, () => ({ names: [HOST] })),
  );
  const ca = new X509Certificate(caCertPem);
  for (const { certPem } of leaves) {
    assert.ok(new X509Certificate(certPem).verify(ca.publicKey));
  }
});

test('the extensions stand as RFC 5280 asks for them', needsOpenssl, async () => {
  const minted = await mintAuthority({ hosts: [HOST], now: new Date() });
  const ca = opensslText(minted.caCertPem);
  assert.match(ca, /Basic Constraints: critical CA:TRUE, pathlen:0 /);
  assert.match(ca, /Key Usage: critical Certificate Sign, CRL Sign /);
  assert.match(ca, /Extended Key Usage: TLS Web Server Authentication /);
  assert.match(
    ca,
    /Name Constraints: critical Permitted: DNS:api\.anthropic\.com Excluded: IP:0\.0\.0\.0\/0\.0\.0\.0 IP:0:0:0:0:0:0:0:0\/0:0:0:0:0:0:0:0 /,
  );
  const leaf = opensslText(minted.leafCertPem);
  assert.match(leaf, /Basic Constraints: critical CA:FALSE /);
  assert.match(leaf, /Key Usage: critical Digital Signature /);
  assert.match(leaf, /Subject Alternative Name: critical DNS:api\.anthropic\.com /);
  const identifier = (name: string, text: string) =>
    new RegExp(`${name} Key Identifier: ([0-9A-F:]{59}) `).exec(text)?.[1];
  assert.notEqual(identifier('Subject', ca), undefined);
  assert.equal(identifier('Authority', leaf), identifier('Subject', ca));
  assert.notEqual(identifier('Subject', leaf), identifier('Subject', ca));
});

test('openssl accepts the leaf inside the constraints, strictly', needsOpenssl, async () => {
  const minted = await mintAuthority({ hosts: [HOST, 'b.example'], now: new Date() });
  assert.match(opensslVerify(minted.caCertPem, minted.leafCertPem), /: OK/);
});

test(
  'openssl refuses what the authority must not sign: other names, any address',
  needsOpenssl,
  async () => {
    const rogue = [
      [{ names: ['example.com'] }, 47],
      [{ names: ['anthropic.com'] }, 47],
      [{ names: ['*.anthropic.com'] }, 47],
      [{ names: [HOST, 'example.com'] }, 47],
      [{ names: [], ips: ['127.0.0.1'] }, 48],
      [{ names: [], ips: ['::1'] }, 48],
      [{ names: [HOST], ips: ['10.0.0.1'] }, 48],
    ] as const;
    const { caCertPem, leaves } = await mintUnderTestCa(rogue.map(([leaf]) => leaf));
    for (const [i, [, code]] of rogue.entries()) {
      assert.match(
        opensslVerify(caCertPem, leaves[i]?.certPem ?? ''),
        new RegExp(`error ${code} `),
      );
    }
  },
);

test('a Node client with NODE_EXTRA_CA_CERTS accepts the leaf and refuses one outside', async () => {
  const { caCertPem, leaves } = await mintUnderTestCa([
    { names: [HOST] },
    { names: ['example.com'] },
    { names: [], ips: ['127.0.0.1'] },
  ]);
  const [inside, outside, address] = leaves;
  assert.ok(inside && outside && address);
  assert.deepEqual(await connectFromNode(caCertPem, inside, HOST), {
    authorized: true,
    message: '',
  });
  const byName = await connectFromNode(caCertPem, outside, 'example.com');
  assert.match(byName.message, /permitted subtree violation/);
  const byAddress = await connectFromNode(caCertPem, address, '');
  assert.match(byAddress.message, /excluded subtree violation/);
});

test('a Node client with a bundle of two authorities accepts the leaves of both', async () => {
  const [former, current] = await Promise.all([
    mintAuthority({ hosts: [HOST], now: new Date() }),
    mintAuthority({ hosts: [HOST], now: new Date() }),
  ]);
  const bundle = current.caCertPem + former.caCertPem;
  for (const { leafCertPem, leafKeyPem } of [former, current]) {
    const leaf = { certPem: leafCertPem, keyPem: leafKeyPem };
    assert.equal((await connectFromNode(bundle, leaf, HOST)).authorized, true);
  }
  const leaf = { certPem: current.leafCertPem, keyPem: current.leafKeyPem };
  assert.equal((await connectFromNode(former.caCertPem, leaf, HOST)).authorized, false);
});

test('a server for tests has the names and addresses that were asked for', async () => {
  const server = await mintServer({
    names: ['localhost'],
    ips: ['127.0.0.1', '::1'],
    now: new Date(),
  });
  const leaf = new X509Certificate(server.certPem);
  assert.equal(
    leaf.subjectAltName,
    'DNS:localhost, IP Address:127.0.0.1, IP Address:0:0:0:0:0:0:0:1',
  );
  assert.equal(constraintsText(new X509Certificate(server.caCertPem).raw), null);
  const served = { certPem: server.certPem, keyPem: server.keyPem };
  assert.equal((await connectFromNode(server.caCertPem, served, 'localhost')).authorized, true);
  assert.equal((await connectFromNode(server.caCertPem, served, '')).authorized, true);
});

test('constraints are told as text', async () => {
  const { caCertPem } = await mintAuthority({ hosts: [HOST], now: new Date() });
  assert.equal(
    constraintsText(new X509Certificate(caCertPem).raw),
    'critical; permitted DNS:api.anthropic.com; excluded IP:0.0.0.0/0, IP:::/0',
  );
  assert.equal(constraintsText(Buffer.from('no certificate')), null);
});

test('hosts are taken in lower case, sorted, each once', () => {
  assert.deepEqual(normaliseHosts(['b.example', 'A.example', 'b.EXAMPLE']), [
    'a.example',
    'b.example',
  ]);
});

test('what is no plain DNS name is refused as a host', () => {
  const bad = [
    '',
    '*.example',
    '127.0.0.1',
    '::1',
    'a:443',
    'a.example.',
    '.a',
    'a..b',
    '-a',
    'a-',
  ];
  const long = `${'a'.repeat(64)}.example`;
  for (const hosts of [[], ...[...bad, long, 'ä.example', 'a\n'].map((host) => [host])]) {
    assert.throws(
      () => normaliseHosts(hosts),
      (error) => error instanceof PkiError && error.code === 'bad_hosts',
    );
  }
  assert.throws(() => normaliseHosts(Array.from({ length: 65 }, (_, i) => `h${i}.example`)));
});

test('any domain name is taken as a host', () => {
  fc.assert(
    fc.property(fc.domain(), (domain) => {
      assert.deepEqual(normaliseHosts([domain]), [domain.toLowerCase()]);
    }),
  );
});
