/**
 * Helpers of the configuration's tests: a working directory with files, loading in it, what a
 * refusal says. It holds no test; its name keeps it out of the build.
 */
import { strict as assert } from 'node:assert';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import type { TestContext } from 'node:test';
import { ConfigError, type ConfigProblem, type LoadOptions, loadConfig } from './load.ts';
import type { Config } from './types.ts';

/** A key that no service has given out. */
export const KEY = 'CANARY-key-of-nobody-0001';

/** What a test loads with; `files` are written into the working directory first. */
export interface Setting extends Partial<Omit<LoadOptions, 'cwd'>> {
  /** The text of `lanekeeper.yaml`. */
  readonly yaml?: string;
  readonly files?: Readonly<Record<string, string>>;
}

/** A working directory that is removed when the test has ended. */
export function workingDirectory(
  test: TestContext,
  files: Readonly<Record<string, string>> = {},
): string {
  const directory = mkdtempSync(join(tmpdir(), 'lanekeeper-config-'));
  test.after(() => rmSync(directory, { recursive: true, force: true }));
  for (const [name, text] of Object.entries(files)) {
    const file = join(directory, name);
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, text);
  }
  return directory;
}

/** Loads in a working directory of its own, whose `user` folder is the user's home directory. */
export async function load(test: TestContext, setting: Setting = {}): Promise<Config> {
  const { yaml, files, env, ...options } = setting;
  const own = yaml === undefined ? {} : { 'lanekeeper.yaml': yaml };
  const cwd = workingDirectory(test, { ...files, ...own });
  return loadConfig({ ...options, cwd, env: { HOME: join(cwd, 'user'), ...env } });
}

/** The problems of a configuration that is refused. */
export async function problemsOf(
  test: TestContext,
  setting: Setting,
): Promise<readonly ConfigProblem[]> {
  const error = await load(test, setting).then(
    () => assert.fail('the configuration was accepted'),
    (reason: unknown) => reason,
  );
  assert.ok(error instanceof ConfigError, String(error));
  assert.equal(error.exitCode, 78);
  for (const { message, mend } of error.problems) {
    assert.ok(error.message.includes(message) && error.message.includes(mend));
    assert.ok(mend !== '');
  }
  return error.problems;
}

/** The only problem of a configuration that is refused. */
export async function problemOf(test: TestContext, setting: Setting): Promise<ConfigProblem> {
  const problems = await problemsOf(test, setting);
  assert.equal(problems.length, 1, JSON.stringify(problems, null, 2));
  const [problem] = problems;
  assert.ok(problem !== undefined);
  return problem;
}
