/**
 * Finds secrets in texts: those that are known, however they are spelt, and whatever has the shape of
 * a key. It names what it found and never shows it.
 *
 * It shares nothing with the redaction of the ledger, which it is there to judge. What it can not see:
 * a secret that is split, compressed, or encoded in ways that `readings.ts` does not know.
 */
import { SEARCH_OVERLAP_BYTES_MIN, SECRET_CHARS_MIN } from '../../core/limits.ts';
import { base64Spellings, decodedBase64, type Reading, readings } from './readings.ts';

/** A secret that is known at the time. */
export interface KnownSecret {
  /** How it is called where it is found, such as the variable that holds it. */
  readonly name: string;
  readonly value: string;
}

/** Where a known secret was seen. */
export interface Sighting {
  readonly name: string;
  /** How it is written there: `plain`, `base64`, `hex`, `JSON`, `URL`, or one within the other. */
  readonly spelling: string;
}

export interface Finder {
  /**
   * What is found in a text of bytes (latin1), by name; nothing where nothing is.
   *
   * @param allowed shapes that may stand here
   */
  in(text: string, allowed?: readonly ShapeName[]): readonly string[];
  /** Of these the known ones, and how each is written; the shapes of keys are no matter. */
  known(text: string): readonly Sighting[];
  /** Pieces of one line must overlap by so many characters, so that nothing is missed between them. */
  readonly overlap: number;
}

/** Keys as they look. Each is long enough not to occur by chance, and short enough to be seen cut. */
const SHAPES = {
  'a key of Anthropic': /sk-ant-[A-Za-z0-9_-]{8}/,
  'a key that begins with sk-': /(?<![A-Za-z0-9])sk-(?!ant-)[A-Za-z0-9_-]{24}/,
  // By its point first: looked for from the front, every hexadecimal number would be tried.
  'a key of Z.AI': /\.(?<=[0-9A-Fa-f]{32}\.)[A-Za-z0-9]{16}/,
  // Words of prose are all of small letters.
  'a Bearer or Basic credential':
    /\b(?:[Bb]earer|[Bb]asic)[ +](?=[a-z._~+/-]{0,64}[A-Z0-9])[A-Za-z0-9._~+/-]{16}/,
  'a JSON web token': /eyJ[A-Za-z0-9_-]{12,2048}\.eyJ[A-Za-z0-9_-]{8,4096}\.[A-Za-z0-9_-]{8}/,
  'a private key': /-----BEGIN (?:[A-Z]{1,16} ){0,3}PRIVATE KEY-----/,
  'a key of GitHub, Slack, AWS or Google':
    /(?:gh[opsru]_[A-Za-z0-9]{20}|github_pat_[A-Za-z0-9_]{20}|xox[a-z]-[A-Za-z0-9-]{12}|AKIA[A-Z0-9]{16}|AIza[A-Za-z0-9_-]{20})/,
} as const;

export type ShapeName = keyof typeof SHAPES;

/** The longest that an escape makes of one character: `\\u0041`, and that once more in a URL. */
const ESCAPED_CHARS_MAX = 16;

/** Makes a finder. Values shorter than SECRET_CHARS_MIN are left out. */
export function createFinder(known: readonly KnownSecret[]): Finder {
  const searched = known
    .filter(({ value }) => value.length >= SECRET_CHARS_MIN)
    .map(({ name, value }) => {
      const bytes = Buffer.from(value, 'utf8').toString('latin1');
      return { name, spellings: spellingsOf(bytes), chars: bytes.length };
    });
  const longest = Math.max(0, ...searched.map(({ chars }) => chars));
  const sightings = ({ text, undone }: Reading): Sighting[] =>
    searched.flatMap(({ name, spellings }) => {
      const form = spellings.find(([, written]) => text.includes(written))?.[0];
      if (form === undefined) return [];
      return [{ name, spelling: [...undone, ...(form === 'plain' ? [] : [form])].join(' ') }];
    });
  return {
    overlap: Math.max(SEARCH_OVERLAP_BYTES_MIN, longest * ESCAPED_CHARS_MAX),
    in: (text, allowed = []) => {
      const found = new Set<string>();
      for (const reading of readings(text)) {
        for (const { name } of sightings(reading)) found.add(name);
        for (const name of [...shapesIn(reading.text), ...shapesIn(decodedBase64(reading.text))]) {
          found.add(name);
        }
      }
      for (const name of allowed) found.delete(name);
      return [...found];
    },
    known: (text) => {
      // The first reading that shows a secret is the simplest.
      const found = new Map<string, Sighting>();
      for (const reading of readings(text)) {
        for (const sighting of sightings(reading)) {
          if (!found.has(sighting.name)) found.set(sighting.name, sighting);
        }
      }
      return [...found.values()].map((one) => ({ ...one, spelling: one.spelling || 'plain' }));
    },
  };
}

/** The ways to write a value that no reading undoes, the plain one first. */
function spellingsOf(bytes: string): readonly (readonly [form: string, written: string])[] {
  const hex = Buffer.from(bytes, 'latin1').toString('hex');
  return [
    ['plain', bytes],
    ...base64Spellings(bytes).map((written) => ['base64', written] as const),
    ['hex', hex],
    ['hex', hex.toUpperCase()],
  ];
}

function shapesIn(text: string): string[] {
  return Object.entries(SHAPES).flatMap(([name, shape]) => (shape.test(text) ? [name] : []));
}
