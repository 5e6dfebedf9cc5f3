/** `ca show|path|rotate|remove`: the certificate authority of a home. */
import { isRunning } from '../../admin/client.ts';
import { type AuthorityFacts, inspectAuthority } from '../../pki/inspect.ts';
import { openAuthority, removeAuthority, rotateAuthority } from '../../pki/store.ts';
import { EXIT } from '../failure.ts';
import { print, printExact, printJson, say, table } from '../output.ts';
import { type CommonOptions, configOf, homeOf, type JsonOption } from '../settings.ts';
import { authorityDirectory } from '../trust.ts';

type Options = CommonOptions & JsonOption;

/** Exit code 1 where something is wrong with it. */
export async function show(options: Options): Promise<number> {
  const facts = await inspectAuthority(authorityDirectory(homeOf(options)));
  if (options.json === true) printJson(facts);
  else print(describe(facts));
  return facts.problems.length === 0 ? EXIT.done : EXIT.failed;
}

export async function path(options: Options): Promise<number> {
  const config = await configOf(options);
  const authority = await openAuthority(authorityDirectory(config.home), config.intercept);
  if (options.json === true) printJson({ bundle: authority.bundlePath });
  else printExact(authority.bundlePath);
  return EXIT.done;
}

export async function rotate(options: Options): Promise<number> {
  const config = await configOf(options);
  const authority = await rotateAuthority(authorityDirectory(config.home), config.intercept);
  const { bundlePath, fingerprint256, hosts, notAfter } = authority;
  if (options.json === true) {
    printJson({ bundle: bundlePath, fingerprint256, hosts, notAfter });
  } else {
    print(`a new authority for ${hosts.join(', ')}, until ${notAfter.toISOString()}`);
    print(`SHA-256 ${fingerprint256}`);
    print('clients that run now keep the old one; it stays in the bundle until it ends');
  }
  if (await isRunning(config.home))
    say('the running proxy keeps the old one until it is restarted');
  return EXIT.done;
}

export async function remove(options: Options): Promise<number> {
  const home = homeOf(options);
  const removed = await removeAuthority(authorityDirectory(home));
  if (options.json === true) printJson({ removed });
  else
    print(
      removed.length === 0 ? 'there was none' : removed.map((one) => `removed ${one}`).join('\n'),
    );
  if (await isRunning(home)) say('the running proxy still uses it; stop it with lanekeeper drain');
  return EXIT.done;
}

function describe(facts: AuthorityFacts): string {
  if (!facts.present && facts.problems.length === 0) {
    return `there is none in ${facts.dir} yet; the first start makes it`;
  }
  const rows = [
    ['hosts', facts.hosts.join(', ')],
    ['SHA-256', facts.fingerprint256 ?? 'unknown'],
    ['from', facts.notBefore?.toISOString() ?? 'unknown'],
    ['until', facts.notAfter?.toISOString() ?? 'unknown'],
    ['may sign for', facts.constraints ?? 'unknown'],
    ['bundle', facts.bundlePath],
    ...facts.files.map((file) => ['file', `${file.path} ${file.mode ?? 'not there'}`]),
  ];
  const former = facts.bundle
    .filter((entry) => !entry.current)
    .map(
      (entry) => `former, trusted until ${entry.notAfter.toISOString()}: ${entry.fingerprint256}`,
    );
  const problems = facts.problems.map((problem) => `problem: ${problem.message}`);
  return [table(rows), ...former, ...problems].join('\n');
}
