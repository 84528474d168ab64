/** A name that a function changes although it is not its own: its caller finds another value in a variable of this name. */
export interface LeakedName {
  /** The function; undefined outside of all functions. */
  readonly inFunction: string | undefined;
  readonly name: string;
  readonly line: number;
}

interface Token {
  /** `word`; `redirect` for `<`, `>` and their like, whose next word is a file; else the operator itself, `\n` among them. */
  readonly kind: 'word' | 'redirect' | 'operator';
  readonly text: string;
  readonly line: number;
}

interface FunctionScope {
  readonly name: string | undefined;
  /** Blocks that were open where its body began. */
  readonly depth: number;
  readonly isSubshell: boolean;
  readonly locals: Set<string>;
}

const OPENING = new Set(['if', 'then', 'elif', 'else', 'while', 'until', 'do', '!', 'time']);
const DECLARING = new Set(['local', 'declare', 'typeset']);
const ASSIGNMENT = /^([A-Za-z_]\w*)(\[[^\]]*\])?\+?=/;
const IDENTIFIER = /^[A-Za-z_]\w*$/;
/** Options of a command that take a word of their own. */
const OPTION_WITH_WORD: Readonly<Record<string, RegExp>> = {
  read: /^-[a-z]*[dinNptu]$/i,
  mapfile: /^-[cCdnOsu]$/,
  readarray: /^-[cCdnOsu]$/,
};

/**
 * Every name in lower case that is assigned in a function (by `=`, `for`, `read`, `mapfile`, `printf -v`, arithmetic and so on)
 * before the function has declared it local. Names in upper case are meant for all. Bash as this project writes it, not all of bash.
 */
export function leakedNames(script: string, { topLevelToo = false } = {}): readonly LeakedName[] {
  const tokens = tokenize(script);
  const leaks: LeakedName[] = [];
  const scopes: FunctionScope[] = [{ name: undefined, depth: 0, isSubshell: !topLevelToo, locals: new Set() }];
  /** Open blocks: `{`, `(` or `case`. */
  const blocks: string[] = [];
  let pendingFunction: string | undefined;
  let index = 0;

  const scope = (): FunctionScope => scopes[scopes.length - 1]!;
  const assign = (name: string, line: number): void => {
    if (!/[a-z]/.test(name) || !IDENTIFIER.test(name)) return;
    if (scope().isSubshell || scope().locals.has(name)) return;
    leaks.push({ inFunction: scope().name, name, line });
  };
  const insideOf = ({ text, line }: Token): void => {
    for (const [, name] of text.matchAll(/\$\{([A-Za-z_]\w*)(?:\[[^\]]*\])?:?=/g)) assign(name!, line);
    for (const [, sum] of text.matchAll(/\$?\(\(([^]*?)\)\)/g)) {
      for (const [, name] of sum!.matchAll(/(?:^|[^\w$])([A-Za-z_]\w*)\s*(?:[-+*/%]?=(?!=)|\+\+|--)/g))
        assign(name!, line);
      for (const [, name] of sum!.matchAll(/(?:\+\+|--)\s*([A-Za-z_]\w*)/g)) assign(name!, line);
    }
  };
  const open = (block: string): void => {
    blocks.push(block);
    if (pendingFunction === undefined) return;
    scopes.push({ name: pendingFunction, depth: blocks.length, isSubshell: block === '(', locals: new Set() });
    pendingFunction = undefined;
  };
  const close = (): void => {
    if (scopes.length > 1 && scope().depth === blocks.length) scopes.pop();
    blocks.pop();
  };

  /** The words of one simple command, without redirections; leaves `index` behind them. */
  const simpleCommand = (): readonly Token[] => {
    const words: Token[] = [];
    for (; index < tokens.length; index += 1) {
      const token = tokens[index]!;
      if (token.kind === 'operator') break;
      insideOf(token);
      if (token.kind === 'redirect') {
        index += 1;
        if (tokens[index]?.kind === 'operator') break;
        if (tokens[index] !== undefined) insideOf(tokens[index]!);
        continue;
      }
      const descriptor = /^\{([A-Za-z_]\w*)\}$/.exec(token.text)?.[1];
      if (descriptor !== undefined && tokens[index + 1]?.kind === 'redirect') assign(descriptor, token.line);
      else words.push(token);
    }
    return words;
  };

  while (index < tokens.length) {
    const token = tokens[index]!;
    if (token.kind === 'operator') {
      index += 1;
      if (token.text === '(') open('(');
      else if (token.text === ')' && blocks.at(-1) === '(') close();
      else if (token.text.startsWith('((')) insideOf(token);
      continue;
    }
    const { text } = token;
    if (text === '{') {
      index += 1;
      open('{');
    } else if (text === '}' || text === 'esac') {
      index += 1;
      close();
    } else if (OPENING.has(text) || text === 'fi' || text === 'done') {
      index += 1;
    } else if (text === 'case') {
      blocks.push('case');
      while (tokens[index]!.text !== 'in') insideOf(tokens[index++]!);
      index += 1;
    } else if (text === 'for' || text === 'select') {
      const variable = tokens[index + 1]!;
      if (variable.kind === 'word') assign(variable.text, variable.line);
      index += 1;
      if (variable.kind === 'word') simpleCommand();
    } else if (tokens[index + 1]?.text === '(' && tokens[index + 2]?.text === ')' && IDENTIFIER.test(text)) {
      pendingFunction = text;
      index += 3;
    } else {
      namesOf(simpleCommand(), assign, scope().locals);
    }
  }
  return leaks;
}

function namesOf(words: readonly Token[], assign: (name: string, line: number) => void, locals: Set<string>): void {
  const first = words.findIndex(({ text }) => !ASSIGNMENT.test(text));
  // Before a command they hold for the command alone.
  if (first === -1) for (const { text, line } of words) assign(ASSIGNMENT.exec(text)![1]!, line);
  const command = words[first];
  if (command === undefined) return;
  const args = words.slice(first + 1);
  const plain = withoutOptions(command.text, args);
  const nameOf = (text: string): string => ASSIGNMENT.exec(text)?.[1] ?? text;
  if (DECLARING.has(command.text) && !args.some(({ text }) => /^-[a-z]*g/i.test(text))) {
    for (const { text } of plain) locals.add(nameOf(text));
  } else if (DECLARING.has(command.text) || ['export', 'readonly', 'unset', 'read', 'getopts'].includes(command.text)) {
    for (const { text, line } of command.text === 'getopts' ? plain.slice(1) : plain) assign(nameOf(text), line);
  } else if (command.text === 'mapfile' || command.text === 'readarray') {
    if (plain[0] !== undefined) assign(plain[0].text, plain[0].line);
  } else if (command.text === 'printf' && args[0]?.text === '-v') {
    assign(args[1]!.text, args[1]!.line);
  } else if (command.text === 'let' || command.text === 'eval') {
    for (const { text, line } of args) {
      for (const [, name] of text.matchAll(/(?:^|[\s"';])([A-Za-z_]\w*)\+?=/g)) assign(name!, line);
    }
  }
}

function withoutOptions(command: string, args: readonly Token[]): readonly Token[] {
  const plain: Token[] = [];
  for (let index = 0; index < args.length; index += 1) {
    const { text } = args[index]!;
    if (OPTION_WITH_WORD[command]?.test(text) === true) index += 1;
    else if (!text.startsWith('-')) plain.push(args[index]!);
  }
  return plain;
}

function tokenize(script: string): readonly Token[] {
  const tokens: Token[] = [];
  /** Ends of here-documents whose text begins with the next line. */
  const heredocs: string[] = [];
  let at = 0;
  let line = 1;
  const state = { isCommandStart: true };
  const push = (kind: Token['kind'], text: string): void => {
    tokens.push({ kind, text, line });
    state.isCommandStart =
      kind === 'operator' || (kind === 'word' && state.isCommandStart && (OPENING.has(text) || text === '{'));
    line += text === '\n' ? 0 : text.split('\n').length - 1;
  };
  while (at < script.length) {
    const rest = script.slice(at, at + 3);
    const character = script[at]!;
    if (character === '\\' && script[at + 1] === '\n') {
      at += 2;
      line += 1;
    } else if (character === '\n') {
      push('operator', '\n');
      at += 1;
      line += 1;
      while (heredocs.length > 0) {
        const end = heredocs.shift()!;
        let text: string;
        do {
          const next = script.indexOf('\n', at);
          text = script.slice(at, next === -1 ? script.length : next);
          at = next === -1 ? script.length : next + 1;
          line += 1;
        } while (text.replace(/^\t+/, '') !== end && at < script.length);
      }
    } else if (character === ' ' || character === '\t') {
      at += 1;
    } else if (character === '#') {
      while (at < script.length && script[at] !== '\n') at += 1;
    } else if (state.isCommandStart && script.startsWith('[[ ', at)) {
      const end = script.indexOf(' ]]', at) + 3;
      push('word', script.slice(at, end));
      at = end;
    } else if (rest.startsWith('((')) {
      const end = script.indexOf('))', at) + 2;
      push('operator', script.slice(at, end));
      at = end;
    } else if (/^[<>]\(/.test(rest)) {
      const end = endOfWord(script, at);
      push('word', script.slice(at, end));
      at = end;
    } else if (/^[<>]|^&>/.test(rest)) {
      const text = /^(<<<|<<-?|<>|<&|>>|>&|>\||&>>|&>|<|>)/.exec(script.slice(at, at + 3))![1]!;
      at += text.length;
      if (text.startsWith('<<') && text !== '<<<') {
        const word = /^\s*(['"]?)(\w+)\1/.exec(script.slice(at))!;
        heredocs.push(word[2]!);
        at += word[0].length;
      } else {
        push('redirect', text);
      }
    } else if (/^[;&|()]/.test(rest)) {
      const text = /^(;;&|;;|;&|&&|\|\||\|&|[;&|()])/.exec(rest)![1]!;
      push('operator', text);
      at += text.length;
    } else {
      const end = endOfWord(script, at);
      push('word', script.slice(at, end));
      at = end;
    }
  }
  return tokens;
}

/** Where the word that begins at `at` ends: quotes, `$(...)`, `${...}`, `<(...)` and `name=(...)` belong to it. */
function endOfWord(script: string, start: number): number {
  let at = start;
  while (at < script.length && !/[\s;&|)]/.test(script[at]!)) {
    const character = script[at]!;
    if ((character === '<' || character === '>') && script[at + 1] !== '(') break;
    if (character === '(') {
      // An array, a process substitution or a pattern; else the name of a function ends here.
      if (!/[=<>@?*+!]/.test(script[at - 1] ?? '')) break;
      at = endOfBracket(script, at, ')');
    } else {
      at = endOfPart(script, at);
    }
  }
  return Math.max(at, start + 1);
}

/** Behind the quoted string, the substitution or the single character at `at`. */
function endOfPart(script: string, at: number): number {
  const character = script[at]!;
  if (character === '\\') return at + 2;
  if (character === "'") return script.indexOf("'", at + 1) + 1;
  if (character === '"') {
    let end = at + 1;
    while (end < script.length && script[end] !== '"') {
      end = script[end] === "'" ? end + 1 : endOfPart(script, end);
    }
    return end + 1;
  }
  if (character === '$' && script[at + 1] === "'") {
    let end = at + 2;
    while (script[end] !== "'") end += script[end] === '\\' ? 2 : 1;
    return end + 1;
  }
  if (character === '$' && script[at + 1] === '(') return endOfBracket(script, at + 1, ')');
  if (character === '$' && script[at + 1] === '{') return endOfBracket(script, at + 1, '}');
  return at + 1;
}

/** Behind the bracket that closes the one at `at`; the `)` behind a pattern of `case` closes none. */
function endOfBracket(script: string, at: number, closing: ')' | '}'): number {
  const opening = closing === ')' ? '(' : '{';
  let cases = 0;
  let end = at + 1;
  while (end < script.length) {
    const character = script[end]!;
    if (closing === ')' && /[\s;(]/.test(script[end - 1]!)) {
      if (/^case\s/.test(script.slice(end, end + 5))) cases += 1;
      else if (/^esac\b/.test(script.slice(end, end + 5))) cases -= 1;
    }
    if (closing === ')' && character === '#' && /\s/.test(script[end - 1]!)) end = script.indexOf('\n', end);
    else if (character === closing) {
      end += 1;
      if (cases === 0) return end;
    } else if (character === opening && closing === ')') end = endOfBracket(script, end, closing);
    else end = endOfPart(script, end);
  }
  return end;
}
