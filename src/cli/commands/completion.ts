/** `completion bash|zsh|fish`: a completion script, made from the tree of commands. */
import type { Command } from 'commander';

import { bashScript, fishScript, zshScript } from '../completion-scripts.ts';
import { type CompletionNode, completionNodes } from '../completion-tree.ts';
import { CliError, EXIT } from '../failure.ts';

const SCRIPTS: ReadonlyMap<string, (nodes: readonly CompletionNode[]) => string> = new Map([
  ['bash', bashScript],
  ['zsh', zshScript],
  ['fish', fishScript],
]);

export function completion(root: Command, args: readonly string[]): number {
  const script = SCRIPTS.get(args[0] ?? '');
  if (script === undefined) throw new CliError('completion: name bash, zsh or fish', EXIT.usage);
  process.stdout.write(script(completionNodes(root)));
  return EXIT.done;
}
