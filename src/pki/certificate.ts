/**
 * X.509 certificates, built and signed: an issuer that lives in memory, and the leaves that it signs.
 *
 * The structures come from `@peculiar/asn1-x509`; loading it costs some 50 ms, so nothing imports
 * this file statically except tests: `authority.ts` and `inspect.ts` load it when they need it.
 *
 * RFC 5280 sections 4.1 (fields), 4.2.1 (extensions), 4.2.1.10 (name constraints); key identifiers
 * after RFC 7093 section 2 (1); signatures after RFC 5758 section 3.2. It reads no file and writes
 * none.
 */
import assert from 'node:assert';
import { createHash, type KeyObject, randomBytes, webcrypto } from 'node:crypto';
import {
  AsnConvert,
  AsnIntegerBigIntConverter,
  AsnProp,
  AsnPropTypes,
  OctetString,
} from '@peculiar/asn1-schema';
import {
  AlgorithmIdentifier,
  AttributeTypeAndValue,
  AttributeValue,
  AuthorityKeyIdentifier,
  BasicConstraints,
  Certificate,
  ExtendedKeyUsage,
  Extension,
  Extensions,
  GeneralName,
  GeneralSubtree,
  GeneralSubtrees,
  id_ce_authorityKeyIdentifier,
  id_ce_basicConstraints,
  id_ce_extKeyUsage,
  id_ce_keyUsage,
  id_ce_nameConstraints,
  id_ce_subjectAltName,
  id_ce_subjectKeyIdentifier,
  id_kp_serverAuth,
  KeyIdentifier,
  KeyUsage,
  KeyUsageFlags,
  Name,
  NameConstraints,
  RelativeDistinguishedName,
  SubjectAlternativeName,
  SubjectKeyIdentifier,
  SubjectPublicKeyInfo,
  TBSCertificate,
  Validity,
  Version,
} from '@peculiar/asn1-x509';

const OID_ECDSA_SHA256 = '1.2.840.10045.4.3.2';
const OID_COMMON_NAME = '2.5.4.3';
const OID_ORGANIZATION = '2.5.4.10';
const SERIAL_BYTES = 16;
const KEY_ID_BYTES = 20;
const EVERY_ADDRESS = ['0.0.0.0/0', '::/0'];

/** From when to when, to the second. */
export interface Lifetime {
  readonly notBefore: Date;
  readonly notAfter: Date;
}

/** What a new issuer is. */
export interface IssuerProfile extends Lifetime {
  /** The common name for a short id (8 hex digits of the key identifier). */
  commonName(id: string): string;
  /**
   * DNS names (and, as RFC 5280 has it, their subdomains) that the issuer may sign for, every IP
   * address being excluded; null for an issuer without constraints, which only tests and the twin use.
   */
  readonly permitted: readonly string[] | null;
}

/** What a leaf is: a server certificate for exactly these names and addresses. */
export interface LeafProfile extends Lifetime {
  readonly names: readonly string[];
  readonly ips: readonly string[];
  /** The public key of the leaf. */
  readonly publicKey: KeyObject;
}

/** A certificate authority whose private key nothing but `issue` can reach. */
export interface Issuer {
  readonly certPem: string;
  /** Signs a leaf and returns it as PEM. */
  issue(leaf: LeafProfile): Promise<string>;
}

/**
 * Makes an EC P-256 authority. Its private key is not extractable, stays in the closure of the
 * returned `issue`, and is gone with it.
 */
export async function createIssuer(profile: IssuerProfile): Promise<Issuer> {
  const keys = await webcrypto.subtle.generateKey({ name: 'ECDSA', namedCurve: 'P-256' }, false, [
    'sign',
  ]);
  const spki = publicKeyInfo(await webcrypto.subtle.exportKey('spki', keys.publicKey));
  const keyId = keyIdentifier(spki);
  const subject = distinguishedName(profile.commonName(keyId.toString('hex', 0, 4)));
  const sign = (tbs: TBSCertificate) => signCertificate(tbs, keys.privateKey);

  const certPem = await sign(
    new TBSCertificate({
      ...commonFields(profile),
      issuer: subject,
      subject,
      subjectPublicKeyInfo: spki,
      extensions: authorityExtensions(keyId, profile.permitted),
    }),
  );
  return {
    certPem,
    issue: (leaf) => {
      const leafSpki = publicKeyInfo(leaf.publicKey.export({ type: 'spki', format: 'der' }));
      return sign(
        new TBSCertificate({
          ...commonFields(leaf),
          issuer: subject,
          subject: new Name([]),
          subjectPublicKeyInfo: leafSpki,
          extensions: leafExtensions(leaf, keyIdentifier(leafSpki), keyId),
        }),
      );
    },
  };
}

/**
 * The name constraints of a certificate as text, such as
 * `critical; permitted DNS:api.example; excluded IP:0.0.0.0/0, IP:::/0`; null where it has none, or
 * none that can be read.
 */
export function constraintsText(der: Buffer): string | null {
  try {
    const { tbsCertificate } = AsnConvert.parse(der, Certificate);
    const found = tbsCertificate.extensions?.find(({ extnID }) => extnID === id_ce_nameConstraints);
    if (found === undefined) return null;
    const { permittedSubtrees, excludedSubtrees } = AsnConvert.parse(
      found.extnValue.buffer,
      NameConstraints,
    );
    const parts = [found.critical ? 'critical' : 'not critical'];
    if (permittedSubtrees) parts.push(`permitted ${subtreesText(permittedSubtrees)}`);
    if (excludedSubtrees) parts.push(`excluded ${subtreesText(excludedSubtrees)}`);
    return parts.join('; ');
  } catch {
    return null;
  }
}

function subtreesText(subtrees: GeneralSubtrees): string {
  return subtrees
    .map(({ base }) => {
      if (base.dNSName !== undefined) return `DNS:${base.dNSName}`;
      if (base.iPAddress !== undefined) return `IP:${base.iPAddress}`;
      return 'another kind of name';
    })
    .join(', ');
}

function authorityExtensions(keyId: Buffer, permitted: readonly string[] | null): Extensions {
  const list = [
    extension(
      id_ce_basicConstraints,
      true,
      new BasicConstraints({ cA: true, pathLenConstraint: 0 }),
    ),
    extension(
      id_ce_keyUsage,
      true,
      new KeyUsage(KeyUsageFlags.keyCertSign | KeyUsageFlags.cRLSign),
    ),
    extension(id_ce_extKeyUsage, false, new ExtendedKeyUsage([id_kp_serverAuth])),
    extension(id_ce_subjectKeyIdentifier, false, new SubjectKeyIdentifier(keyId)),
  ];
  if (permitted !== null) {
    // An empty permitted list would drop the DNS constraint altogether.
    assert(permitted.length > 0, 'a constrained authority permits at least one name');
    const constraints = new NameConstraints({
      permittedSubtrees: subtrees(permitted.map((dNSName) => new GeneralName({ dNSName }))),
      // A DNS constraint says nothing about IP names: without these the CA could sign for any address.
      excludedSubtrees: subtrees(EVERY_ADDRESS.map((iPAddress) => new GeneralName({ iPAddress }))),
    });
    list.push(extension(id_ce_nameConstraints, true, constraints));
  }
  return new Extensions(list);
}

function leafExtensions(leaf: LeafProfile, keyId: Buffer, issuerKeyId: Buffer): Extensions {
  // SChannel takes a leaf with its issuer's identifier for self-signed.
  assert(!keyId.equals(issuerKeyId), 'a leaf has a key of its own');
  const names = [
    ...leaf.names.map((dNSName) => new GeneralName({ dNSName })),
    ...leaf.ips.map((iPAddress) => new GeneralName({ iPAddress })),
  ];
  assert(names.length > 0, 'a leaf names at least one host');
  return new Extensions([
    extension(id_ce_basicConstraints, true, new BasicConstraints({ cA: false })),
    extension(id_ce_keyUsage, true, new KeyUsage(KeyUsageFlags.digitalSignature)),
    extension(id_ce_extKeyUsage, false, new ExtendedKeyUsage([id_kp_serverAuth])),
    // Critical because the subject is empty (RFC 5280 section 4.2.1.6).
    extension(id_ce_subjectAltName, true, new SubjectAlternativeName(names)),
    extension(id_ce_subjectKeyIdentifier, false, new SubjectKeyIdentifier(keyId)),
    extension(
      id_ce_authorityKeyIdentifier,
      false,
      new AuthorityKeyIdentifier({ keyIdentifier: new KeyIdentifier(issuerKeyId) }),
    ),
  ]);
}

function extension(extnID: string, critical: boolean, value: unknown): Extension {
  return new Extension({
    extnID,
    critical,
    extnValue: new OctetString(AsnConvert.serialize(value)),
  });
}

function subtrees(bases: readonly GeneralName[]): GeneralSubtrees {
  return new GeneralSubtrees(bases.map((base) => new GeneralSubtree({ base })));
}

function commonFields({ notBefore, notAfter }: Lifetime) {
  return {
    version: Version.v3,
    serialNumber: serialNumber(),
    signature: ecdsaWithSha256(),
    validity: new Validity({ notBefore, notAfter }),
  };
}

/** ECDSA with SHA-256; the parameters are absent, not NULL (RFC 5758 section 3.2). */
function ecdsaWithSha256(): AlgorithmIdentifier {
  return new AlgorithmIdentifier({ algorithm: OID_ECDSA_SHA256 });
}

/** Positive, of a fixed length, never zero: the two top bits are set to 01, the others are random. */
function serialNumber(): ArrayBuffer {
  const bytes = new Uint8Array(randomBytes(SERIAL_BYTES));
  bytes[0] = ((bytes[0] ?? 0) & 0x3f) | 0x40;
  return bytes.buffer;
}

function distinguishedName(commonName: string): Name {
  const attribute = (type: string, utf8String: string) =>
    new RelativeDistinguishedName([
      new AttributeTypeAndValue({ type, value: new AttributeValue({ utf8String }) }),
    ]);
  return new Name([
    attribute(OID_ORGANIZATION, 'Lanekeeper'),
    attribute(OID_COMMON_NAME, commonName),
  ]);
}

function publicKeyInfo(spki: ArrayBuffer | Uint8Array): SubjectPublicKeyInfo {
  return AsnConvert.parse(spki, SubjectPublicKeyInfo);
}

function keyIdentifier(spki: SubjectPublicKeyInfo): Buffer {
  const digest = createHash('sha256').update(new Uint8Array(spki.subjectPublicKey)).digest();
  return digest.subarray(0, KEY_ID_BYTES);
}

async function signCertificate(
  tbsCertificate: TBSCertificate,
  key: webcrypto.CryptoKey,
): Promise<string> {
  const signature = await webcrypto.subtle.sign(
    { name: 'ECDSA', hash: 'SHA-256' },
    key,
    AsnConvert.serialize(tbsCertificate),
  );
  const certificate = new Certificate({
    tbsCertificate,
    signatureAlgorithm: ecdsaWithSha256(),
    signatureValue: ecdsaSignatureDer(Buffer.from(signature)),
  });
  return pem(Buffer.from(AsnConvert.serialize(certificate)));
}

/** ECDSA-Sig-Value, RFC 3279 section 2.2.3. */
class EcdsaSigValue {
  r = 0n;
  s = 0n;
}
const bigInteger = AsnProp({
  type: AsnPropTypes.Integer,
  converter: AsnIntegerBigIntConverter,
});
bigInteger(EcdsaSigValue.prototype, 'r');
bigInteger(EcdsaSigValue.prototype, 's');

/** The two halves that WebCrypto gives, as the structure that X.509 asks for. */
function ecdsaSignatureDer(halves: Buffer): ArrayBuffer {
  const middle = halves.length / 2;
  const value = new EcdsaSigValue();
  value.r = BigInt(`0x${halves.toString('hex', 0, middle)}`);
  value.s = BigInt(`0x${halves.toString('hex', middle)}`);
  return AsnConvert.serialize(value);
}

/** RFC 7468 section 5. */
function pem(der: Buffer): string {
  const lines = der.toString('base64').match(/.{1,64}/g) ?? [];
  return `-----BEGIN CERTIFICATE-----\n${lines.join('\n')}\n-----END CERTIFICATE-----\n`;
}
