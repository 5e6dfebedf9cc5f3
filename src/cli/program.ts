/**
 * The tree of commands: names, arguments, options and what each is for. Declared whole, so that help
 * and completions know everything; what a command does is loaded when it runs.
 */
import { Argument, Command, InvalidArgumentError, Option } from 'commander';

import { DRILL_CONCURRENCY_MAX, DRILL_RTT_MS_MAX, WORKERS_MAX } from '../core/limits.ts';
import { AB_SUBJECTS } from '../drills/ab-plan.ts';
import { ACT_NAMES } from '../drills/chaos-acts.ts';
import { ALTERNATIONS, DRILL_CLIENTS, DRILL_NAMES } from '../drills/plan.ts';
import { packageVersion } from './package-info.ts';
import { addReportCommands } from './report-commands.ts';
import { addSessionCommands } from './session-commands.ts';
import type { CommonOptions } from './settings.ts';
import { SHELLS } from './shell-lines.ts';

/** What a command's module exports: its options and arguments in, its exit code out. */
type Run<Options> = (options: Options, args: readonly string[]) => Promise<number> | number;
type Load<Options> = () => Promise<Run<Options>>;
/** Makes a command do what its module says once it is loaded. */
export type Act = <Options extends CommonOptions>(command: Command, load: Load<Options>) => Command;

const ON_OFF = ['on', 'off'] as const;
const COMPLETION_SHELLS = ['bash', 'zsh', 'fish'] as const;
const DRILL_HELP = `
Drills:
  warmup      Haiku lands on zai, Sonnet stays on anthropic, a medium stream is whole
  alternate   Sonnet and Haiku in turn, with short pauses
  soak        the same for a long time: is anything lost, held up or leaked?
  parallel    Haiku clients at once
  burst       Sonnet and Haiku in turn, as fast as it goes
  chaos       a proxy of its own, ended, killed and restarted in the middle of running streams
  ab          two proxies of its own under the same load in turn: HTTP/2 against HTTP/1.1,
              x-api-key against authorization; the differences with their 95 % intervals

With the twin every stream is compared byte for byte with what was sent, and every request with the
upstream it reached; under faults an answer must arrive as it was sent and end as it ended, and the
ledger must tell the same. Claude Code shows text, not bytes: each turn has a text of its own, which must
be shown word for word, and the ledger's bytes are compared with the twin's. Over a running proxy the
client and the ledger are judged; with real lanes the requests cost tokens: ANTHROPIC_API_KEY or
ANTHROPIC_AUTH_TOKEN pays for Anthropic's, and Claude Code pays with its own login.

Exit: 0 every check met, 1 one was not, 130 interrupted (what was measured is printed all the same).`;
const SESSION_HELP = `
Where a proxy runs for the home, the session drives it, over the lanes that it has; else one of its own
with simulated upstreams behind it. Each phase is kept in results/SESSION.json when it ends: Ctrl-C at
any time, and --resume goes on.

Exit: 0 all phases and gates met (of a quick one its soak is too short for a gate, and that alone is no
failure), 1 one was not, 130 interrupted.`;
const PORT_MAX = 65_535;
const MINUTES_MAX = 7 * 24 * 60;
const SECONDS_MAX = 3_600;
const PAUSE_MS_MAX = 3_600_000;
const SEED_MAX = 0xffff_ffff;

/**
 * The whole command line.
 *
 * @param report is told the exit code of the command that ran
 */
export function createProgram(report: (code: number) => void): Command {
  const program = new Command('lanekeeper')
    .description(
      'A local proxy for coding agents: each request down the lane its model belongs to.',
    )
    .version(packageVersion())
    .enablePositionalOptions()
    .exitOverride();
  addCommonOptions(program);

  const act: Act = (command, load) => {
    addCommonOptions(command);
    return command.action(async () => {
      const run = await load();
      report(await run(command.optsWithGlobals<Parameters<typeof run>[0]>(), command.args));
    });
  };
  addProxyCommands(program, act);
  addControlCommands(program, act);
  addTrustCommands(program, act);
  addInsightCommands(program, act, program);
  addReportCommands(program, act);
  addSessionCommands(program, act);
  addDrillCommand(program, act);
  addSessionCommand(program, act);
  return program;
}

function addProxyCommands(program: Command, act: Act): void {
  act(
    program
      .command('start')
      .description('run the proxy in the foreground')
      .option('--port <port>', 'port to listen on (default: 8082)', toPort)
      .option('--host <address>', 'address to listen on (default: 127.0.0.1)')
      .option('--workers <count>', 'processes that serve connections', toWorkers, 1)
      .option('--twin', 'both lanes go to the embedded twin')
      .addOption(new Option('--leased', 'end with the last lease').hideHelp()),
    async () => (await import('./commands/start.ts')).start,
  );
  act(
    program
      .command('run')
      .description('run a command through the proxy, starting one if none is running')
      .argument('<command...>', 'the command and its arguments, after --')
      .option('--twin', 'both lanes go to the embedded twin')
      .passThroughOptions(),
    async () => (await import('./commands/run.ts')).run,
  );
  act(
    program
      .command('env')
      .description('print shell lines that make this shell use the proxy')
      .argument(
        '[port]',
        'port of the proxy (default: the running one’s, else the configured one)',
        toPort,
      )
      .addOption(new Option('--shell <shell>', 'which shell').choices(SHELLS).default('sh')),
    async () => (await import('./commands/env.ts')).env,
  );
  act(
    program
      .command('demo')
      .description('prove offline, in under a minute, that routing, streams and isolation hold')
      .option('--json', 'print the result as JSON'),
    async () => (await import('./commands/demo.ts')).demo,
  );
  act(
    program
      .command('twin')
      .description('run the simulated upstreams on their own, in the foreground')
      .option('--port <port>', 'port of the first; the second takes the next one', toPort)
      .option('--seed <number>', 'what the answers are drawn from', toSeed)
      .option('--faults <file>', 'what goes wrong: a fault plan in YAML or JSON'),
    async () => (await import('./commands/twin.ts')).twin,
  );
}

function addControlCommands(program: Command, act: Act): void {
  const control = (name: string, description: string) =>
    program.command(name).description(description).option('--json', 'print the result as JSON');
  const load = () => import('./commands/control.ts');
  const switchTo = new Argument('<state>', 'on or off').choices(ON_OFF);
  act(control('status', 'show what the running proxy does'), async () => (await load()).status);
  act(
    control('pause', 'send every exchange to the default lane until resume'),
    async () => (await load()).pause,
  );
  act(control('resume', 'route again after pause'), async () => (await load()).resume);
  act(
    control('force', 'send every Haiku model to the zai lane').addArgument(switchTo),
    async () => (await load()).force,
  );
  act(
    control('tee', 'keep redacted body samples; needs ENABLE_BODY_TEE=1').addArgument(switchTo),
    async () => (await load()).tee,
  );
  act(
    control('reload', 'read the configuration anew').option(
      '--restart',
      'and replace the processes that serve by new ones; open exchanges finish in the old ones',
    ),
    async () => (await load()).reload,
  );
  act(
    control('drain', 'let the running proxy finish its open exchanges and end'),
    async () => (await load()).drain,
  );
}

function addTrustCommands(program: Command, act: Act): void {
  const ca = program.command('ca').description('the local certificate authority');
  const sub = (name: string, description: string) =>
    ca.command(name).description(description).option('--json', 'print the result as JSON');
  addCommonOptions(ca);
  const load = () => import('./commands/ca.ts');
  act(sub('show', 'show hosts, expiry and fingerprint'), async () => (await load()).show);
  act(sub('path', 'print the path of the trust bundle'), async () => (await load()).path);
  act(
    sub('rotate', 'make a new authority; the old one stays trusted'),
    async () => (await load()).rotate,
  );
  act(sub('remove', 'remove the authority from this home'), async () => (await load()).remove);
}

function addInsightCommands(program: Command, act: Act, tree: Command): void {
  act(
    program
      .command('tail')
      .description('follow the ledger, one line an exchange')
      .option('--lane <name>', 'only this lane')
      .option('--errors', 'only exchanges that did not go well')
      .option('--json', 'print the records as they are'),
    async () => (await import('./commands/tail.ts')).tail,
  );
  act(
    program
      .command('doctor')
      .description('check this machine and the proxy; each finding with its mend')
      .option('--json', 'print the result as JSON'),
    async () => (await import('./commands/doctor.ts')).doctor,
  );
  act(
    program
      .command('versions')
      .description('print the versions of everything involved and write VERSIONS.json')
      .option('--json', 'print the result as JSON'),
    async () => (await import('./commands/versions.ts')).versions,
  );
  act(
    program
      .command('completion')
      .description('print a completion script')
      .addArgument(new Argument('<shell>', 'which shell').choices(COMPLETION_SHELLS)),
    async () => {
      const { completion } = await import('./commands/completion.ts');
      return (_options, args) => completion(tree, args);
    },
  );
}

function addSessionCommand(program: Command, act: Act): void {
  act(
    program
      .command('session')
      .description('the long session: preflight, all drills, what they leave, the gates, a bundle')
      .option('--quick', 'about a minute and a half, on simulated upstreams')
      .option('--minutes <number>', 'of the soak (35)', toMinutes)
      .option('--ab', 'compare HTTP/2 with HTTP/1.1 and the header modes, too')
      .option('--resume', 'go on with the session of the home that was interrupted')
      .addOption(
        new Option(
          '--client <name>',
          'who asks (default: claude where it is installed, raw where not and with --quick)',
        ).choices(DRILL_CLIENTS),
      )
      .option('--claude <path>', 'the claude executable (default: the one on PATH)')
      .option('--twin', 'simulated upstreams, even where a proxy is running')
      .option(
        '--faults <file>',
        'what its twin does wrong, to see what it does about that: a fault plan',
      )
      .option('--json', 'print the result as JSON')
      .addHelpText('after', SESSION_HELP),
    async () => (await import('./commands/session.ts')).session,
  );
}

function addDrillCommand(program: Command, act: Act): void {
  act(
    program
      .command('drill')
      .description('drive a proxy with a scripted load, and judge what it did')
      .addArgument(new Argument('<name>', 'which drill').choices([...DRILL_NAMES, 'chaos', 'ab']))
      .option('--minutes <number>', 'end after so many minutes (soak: 30)', toMinutes)
      .option(
        '--count <number>',
        'end after so many exchanges (alternate: 20, parallel: 80, burst: 30)',
        toCount,
      )
      .option('--concurrency <number>', 'clients at once (parallel: 4, else 1)', toConcurrency)
      .option(
        '--pause-ms <number>',
        'pause of a client after each exchange (soak: 2000, alternate: 250, else 0)',
        toPause,
      )
      .addOption(
        new Option(
          '--client <name>',
          'raw is built in; sdk the official one; claude is Claude Code',
        )
          .choices(DRILL_CLIENTS)
          .default('raw'),
      )
      .option('--claude <path>', 'the claude executable (default: the one on PATH)')
      .option(
        '--turns <number>',
        'turns of one Claude Code process; 1 is a cold start each (default: 100)',
        toCount,
      )
      .addOption(new Option('--act <name...>', 'chaos: do this alone').choices(ACT_NAMES))
      .option('--after <seconds>', 'chaos: how long the streams run before it (1)', toSeconds)
      .option('--port <port>', 'chaos: port of its proxy (default: any)', toPort)
      .addOption(new Option('--of <what>', 'ab: compare this alone').choices(AB_SUBJECTS))
      .option(
        '--rtt-ms <number>',
        'ab: emulated round trip to the twin (uploads: 30, else 0)',
        toRtt,
      )
      .option('--new-session', 'begin results/SESSION.json anew; else the drill is added to it')
      .option('--gateway', 'plain requests to the proxy itself, as with ANTHROPIC_BASE_URL')
      .option('--twin', 'a proxy of its own with the twin behind it, even where one is running')
      .option(
        '--proxy <url>',
        'the proxy at this URL (default: the running one’s, else --twin)',
        toProxy,
      )
      .addOption(
        new Option(
          '--alternate <by>',
          'soak: force sets the switch of the proxy before each request, every one a Haiku; model leaves it on',
        ).choices(ALTERNATIONS),
      )
      .option(
        '--metrics-every <minutes>',
        'say what came of it so far, and write it to results/ under the home',
        toMinutes,
      )
      .option('--faults <file>', 'what the twin of the drill does wrong: a fault plan')
      .option(
        '--fault-rate <share>',
        'the same from a built-in plan that mixes every kind; 0.02 is one request in fifty',
        toShare,
      )
      .option('--fault-seed <number>', 'what the built-in plan is drawn from (1)', toSeed)
      .option('--json', 'print the result as JSON')
      .addHelpText('after', DRILL_HELP),
    async () => (await import('./commands/drill.ts')).drill,
  );
}

function addCommonOptions(command: Command): void {
  command
    .option('--home <dir>', 'where logs, results, CA and state live (default: ~/.lanekeeper)')
    .option('--config <file>', 'configuration file (default: lanekeeper.yaml)')
    .showHelpAfterError('(--help tells more)');
}

function toPort(text: string): number {
  return toInteger(text, 0, PORT_MAX, 'a port');
}

function toCount(text: string): number {
  return toInteger(text, 1, Number.MAX_SAFE_INTEGER, 'a number');
}

function toWorkers(text: string): number {
  return toInteger(text, 1, WORKERS_MAX, 'a number');
}

function toConcurrency(text: string): number {
  return toInteger(text, 1, DRILL_CONCURRENCY_MAX, 'a number');
}

function toPause(text: string): number {
  return toInteger(text, 0, PAUSE_MS_MAX, 'a number');
}

function toRtt(text: string): number {
  return toInteger(text, 0, DRILL_RTT_MS_MAX, 'a number');
}

function toMinutes(text: string): number {
  const value = /^\d{1,5}(\.\d{1,6})?$/.test(text) ? Number(text) : Number.NaN;
  if (value > 0 && value <= MINUTES_MAX) return value;
  throw new InvalidArgumentError(`It must be a number above 0, up to ${MINUTES_MAX}.`);
}

function toSeconds(text: string): number {
  return toInteger(text, 0, SECONDS_MAX, 'a number of seconds');
}

function toShare(text: string): number {
  const value = /^\d{0,3}(\.\d{1,9})?$/.test(text) ? Number(text) : Number.NaN;
  if (value > 0 && value <= 1) return value;
  throw new InvalidArgumentError('It must be a share above 0, up to 1, such as 0.02.');
}

function toProxy(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : null;
  if (url?.protocol === 'http:' && url.port !== '') return url.origin;
  throw new InvalidArgumentError('It must be a URL such as http://127.0.0.1:8082.');
}

function toSeed(text: string): number {
  return toInteger(text, 0, SEED_MAX, 'a number');
}

function toInteger(text: string, min: number, max: number, what: string): number {
  const value = /^\d{1,16}$/.test(text) ? Number(text) : Number.NaN;
  if (value >= min && value <= max) return value;
  throw new InvalidArgumentError(`It must be ${what} from ${min} to ${max}.`);
}
