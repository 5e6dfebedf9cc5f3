/**
 * Completion scripts for bash, zsh and fish, made from the tree of commands. All words come from that
 * tree and are plain; descriptions are quoted.
 */
import type { CompletionNode, CompletionWord } from './completion-tree.ts';

/** A function for bash, to be sourced: `. <(lanekeeper completion bash)`. */
export function bashScript(nodes: readonly CompletionNode[]): string {
  return `_lanekeeper() {
  local cur=\${COMP_WORDS[COMP_CWORD]} prev=\${COMP_WORDS[COMP_CWORD - 1]} path= word i
  for ((i = 1; i < COMP_CWORD; i++)); do
    word="$path \${COMP_WORDS[i]}"
    case \${word# } in
      ${knownPaths(nodes)}) path=\${word# } ;;
    esac
  done
  COMPREPLY=()
  case "$path $prev" in
${valueCases(nodes, (words) => `COMPREPLY=($(compgen -W '${words}' -- "$cur")); return`, 'return')}
  esac
  case $path in
${nodes
  .map((node) => {
    const commands = node.takesCommand ? ' $(compgen -c -- "$cur")' : '';
    return `    ${pattern(node.path)}) COMPREPLY=($(compgen -W '${wordsOf(node)}' -- "$cur")${commands}) ;;`;
  })
  .join('\n')}
  esac
}
complete -o default -F _lanekeeper lanekeeper
`;
}

/** A function for zsh, to be sourced or put into a folder of \`fpath\` as \`_lanekeeper\`. */
export function zshScript(nodes: readonly CompletionNode[]): string {
  return `#compdef lanekeeper
_lanekeeper() {
  local at= word i prev=\${words[CURRENT-1]}
  local -a found
  for ((i = 2; i < CURRENT; i++)); do
    word="$at \${words[i]}"
    case \${word# } in
      ${knownPaths(nodes)}) at=\${word# } ;;
    esac
  done
  case "$at $prev" in
${valueCases(nodes, (words) => `compadd -- ${words}; return`, '_files; return')}
  esac
  case $at in
${nodes.map(zshCase).join('\n')}
  esac
  _describe lanekeeper found
}
if [ "\${funcstack[1]}" = _lanekeeper ]; then _lanekeeper "$@"; else compdef _lanekeeper lanekeeper; fi
`;
}

/** \`complete\` lines for fish: \`lanekeeper completion fish | source\`. */
export function fishScript(nodes: readonly CompletionNode[]): string {
  const lines = ['complete -c lanekeeper -f'];
  for (const node of nodes) {
    const seen = fishCondition(node);
    const common = `complete -c lanekeeper -n ${fishQuote(seen)}`;
    for (const { word, description } of node.commands) {
      lines.push(`${common} -a ${word} -d ${fishQuote(description)}`);
    }
    for (const choice of node.choices) lines.push(`${common} -a ${choice}`);
    for (const option of node.options) {
      const name = option.word.replace(/^--/, '');
      const value =
        option.choices.length > 0 ? `-x -a ${fishQuote(option.choices.join(' '))}` : '-r -F';
      const takes = option.takesValue ? ` ${value}` : '';
      lines.push(`${common} -l ${name}${takes} -d ${fishQuote(option.description)}`);
    }
    if (node.takesCommand) lines.push(`${common} -a '(__fish_complete_command)'`);
  }
  return `${lines.join('\n')}\n`;
}

function knownPaths(nodes: readonly CompletionNode[]): string {
  return nodes
    .filter((node) => node.path !== '')
    .map((node) => pattern(node.path))
    .join(' | ');
}

function pattern(path: string): string {
  return `'${path}'`;
}

function wordsOf(node: CompletionNode): string {
  return [...node.commands, ...node.options]
    .map(({ word }) => word)
    .concat(node.choices)
    .join(' ');
}

/** Cases for the word after an option that takes a value: its choices, else a file or anything. */
function valueCases(
  nodes: readonly CompletionNode[],
  choose: (words: string) => string,
  other: string,
): string {
  const lines: string[] = [];
  for (const node of nodes) {
    for (const option of node.options) {
      if (!option.takesValue) continue;
      const act = option.choices.length === 0 ? other : choose(option.choices.join(' '));
      lines.push(`    '${node.path} ${option.word}') ${act} ;;`);
    }
  }
  return lines.join('\n');
}

function zshCase(node: CompletionNode): string {
  const words = [...node.commands, ...node.options].map(zshWord);
  const choices = node.choices.map((choice) => zshWord({ word: choice, description: '' }));
  const commands = node.takesCommand ? ' _command_names -e;' : '';
  return `    ${pattern(node.path)}) found=(${[...words, ...choices].join(' ')});${commands} ;;`;
}

function zshWord({ word, description }: CompletionWord): string {
  const text = description === '' ? word : `${word}:${description}`;
  return `'${text.replaceAll("'", "'\\''")}'`;
}

function fishCondition(node: CompletionNode): string {
  const words = node.path.split(' ').filter((word) => word !== '');
  if (words.length === 0) return '__fish_use_subcommand';
  const seen = words.map((word) => `__fish_seen_subcommand_from ${word}`);
  const further = node.commands.map(({ word }) => word).join(' ');
  if (further !== '') seen.push(`not __fish_seen_subcommand_from ${further}`);
  return seen.join('; and ');
}

function fishQuote(text: string): string {
  return `'${text.replace(/['\\]/g, '\\$&')}'`;
}
