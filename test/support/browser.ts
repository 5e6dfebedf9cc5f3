/**
 * A real browser for pages that the program writes: the system's Chromium, driven by playwright-core. Where it
 * is missing it is installed with apt-get, if that may be done here.
 *
 * The browser resolves no name and has an environment of its own.
 */
import { accessSync, constants } from 'node:fs';
import { type Browser, chromium } from 'playwright-core';
import { type Cleanup, tempHome } from './home.ts';
import { installPackage } from './packages.ts';

const PROGRAMS = [
  '/usr/bin/chromium',
  '/usr/bin/chromium-browser',
  '/usr/bin/google-chrome',
  '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome',
];

/**
 * The browser, closed after the test; or why there can be none.
 *
 * @param names what it resolves after all: rules of Chromium, such as `MAP a.example 127.0.0.1`
 */
export async function startBrowser(
  context: Cleanup,
  names: readonly string[] = [],
): Promise<Browser | string> {
  if (process.env['SKIP_BROWSER'] === '1') return 'SKIP_BROWSER=1';
  const program = installed() ?? (await install());
  if (program === null) return 'there is no Chromium, and it can not be installed here';
  const home = await tempHome(context);
  const browser = await chromium.launch({
    executablePath: program,
    // A user namespace is not to be had everywhere; the pages are our own.
    args: ['--no-sandbox', `--host-resolver-rules=${[...names, 'MAP * ~NOTFOUND'].join(', ')}`],
    env: { HOME: home, PATH: '/usr/bin:/bin' },
  });
  context.after(() => browser.close());
  return browser;
}

function installed(): string | null {
  const found = PROGRAMS.find((program) => {
    try {
      accessSync(program, constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
  return found ?? null;
}

async function install(): Promise<string | null> {
  return (await installPackage('chromium')) ? installed() : null;
}
