/**
 * What is wrong with a configuration, as a list: every problem is found in one go, and each names the
 * place, the fault and the mend. Values are described by their shape, never shown where they could be
 * a key.
 */

/** One fault. Exactly one of `file` and `variable` is set. */
export interface ConfigProblem {
  /** Absolute path of the file at fault, or null. */
  readonly file: string | null;
  /** The environment variable or command line option at fault, or null. */
  readonly variable: string | null;
  /** Line in the file, from 1; null where there is none. */
  readonly line: number | null;
  /** The setting, such as `lanes.zai.upstream`; null where the fault is no single setting's. */
  readonly path: string | null;
  readonly message: string;
  readonly mend: string;
}

/** The exit code of a command that met a bad configuration (EX_CONFIG of sysexits). */
export const CONFIG_EXIT_CODE = 78;

/** A configuration that can not be used. Its message prints every problem. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';
  readonly exitCode = CONFIG_EXIT_CODE;
  readonly problems: readonly ConfigProblem[];

  constructor(problems: readonly ConfigProblem[]) {
    super(render(problems));
    this.problems = problems;
  }
}

/** A problem of a variable or an option. */
export function variableProblem(
  variable: string,
  message: string,
  mend: string,
  path: string | null = null,
): ConfigProblem {
  return { file: null, variable, line: null, path, message, mend };
}

/**
 * A value for people: shown where it is short, and only described where it is long, since a key may
 * have been pasted into the wrong place.
 */
export function shapeOf(value: unknown): string {
  if (value === null || value === undefined) return 'nothing';
  if (Array.isArray(value)) return `a list of ${value.length}`;
  if (typeof value === 'object') return 'a map';
  if (typeof value === 'number' || typeof value === 'boolean') return String(value);
  const text = String(value);
  if (text === '') return 'an empty text';
  return text.length <= SHOWN_CHARS_MAX
    ? JSON.stringify(text)
    : `a text of ${text.length} characters`;
}

/** No key is this short; the usual wrong values ("yes", "true", "http1") are. */
const SHOWN_CHARS_MAX = 8;

function render(problems: readonly ConfigProblem[]): string {
  const count = problems.length === 1 ? '1 problem' : `${problems.length} problems`;
  const lines = problems.map(
    (problem) => `  ${where(problem)}: ${problem.message}\n    mend: ${problem.mend}`,
  );
  return [`the configuration has ${count}`, ...lines].join('\n');
}

function where(problem: ConfigProblem): string {
  const source = problem.file ?? problem.variable ?? 'configuration';
  const line = problem.line === null ? '' : `:${problem.line}`;
  const path = problem.path === null || problem.path === '' ? '' : ` ${problem.path}`;
  return `${source}${line}${path}`;
}
