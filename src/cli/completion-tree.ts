/** What can be completed, read from the tree of commands. */
import type { Command, Option } from 'commander';

/** A command (the root too) and the words that may follow it. */
export interface CompletionNode {
  /** The words that lead here, such as `ca show`; empty for the root. */
  readonly path: string;
  readonly commands: readonly CompletionWord[];
  readonly options: readonly CompletionOption[];
  /** What its arguments may be, where that is a closed set. */
  readonly choices: readonly string[];
  /** Its arguments are a command line of their own. */
  readonly takesCommand: boolean;
}

export interface CompletionWord {
  readonly word: string;
  readonly description: string;
}

export interface CompletionOption extends CompletionWord {
  readonly takesValue: boolean;
  readonly choices: readonly string[];
}

/** Every node of the tree, the root first. */
export function completionNodes(root: Command): readonly CompletionNode[] {
  const nodes: CompletionNode[] = [];
  // The tree is two levels deep and ours; the queue ends with it.
  const queue: [path: string, command: Command][] = [['', root]];
  for (const [path, command] of queue) {
    const shown = command.createHelp().visibleCommands(command);
    for (const child of shown) {
      if (child.name() !== 'help') queue.push([`${path} ${child.name()}`.trim(), child]);
    }
    nodes.push(nodeOf(path, command, shown));
  }
  return nodes;
}

function nodeOf(path: string, command: Command, shown: readonly Command[]): CompletionNode {
  const help = command.createHelp();
  const choices: string[] = [];
  let takesCommand = false;
  for (const argument of command.registeredArguments) {
    choices.push(...(argument.argChoices ?? []));
    takesCommand ||= argument.variadic;
  }
  return {
    path,
    commands: shown.map((child) => ({ word: child.name(), description: child.description() })),
    options: help.visibleOptions(command).flatMap(optionOf),
    choices,
    takesCommand,
  };
}

function optionOf(option: Option): CompletionOption[] {
  if (option.long === undefined) return [];
  const takesValue = option.required || option.optional;
  const { description, argChoices } = option;
  return [{ word: option.long, description, takesValue, choices: argChoices ?? [] }];
}
