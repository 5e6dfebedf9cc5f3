/** How a drill is watched and ended by whoever sits at the terminal. */
import { EXIT } from '../failure.ts';
import { say } from '../output.ts';

export interface Teller {
  line(seconds: number, text: string): void;
  /** Clears the line that changes. */
  end(): void;
}

const PLAIN_LINE_S = 10;

/** The first signal ends the drill in order, the second at once. */
export function stopOnSignal(): AbortSignal {
  const controller = new AbortController();
  const end = (): void => {
    if (controller.signal.aborted) process.exit(EXIT.interrupted);
    say('ending: exchanges under way finish; another signal ends at once');
    controller.abort();
  };
  process.on('SIGINT', end);
  process.on('SIGTERM', end);
  return controller.signal;
}

/** Says on stderr how it goes: one line that changes on a terminal, else a line every 10 s. */
export function teller(): Teller {
  const { stderr } = process;
  let next = PLAIN_LINE_S;
  return {
    line: (seconds, text) => {
      if (stderr.isTTY) {
        stderr.write(`\r\u001b[2K${text.slice(0, stderr.columns - 1)}`);
      } else if (seconds >= next) {
        next = seconds + PLAIN_LINE_S;
        say(text);
      }
    },
    end: () => {
      next = PLAIN_LINE_S;
      if (stderr.isTTY) stderr.write('\r\u001b[2K');
    },
  };
}
