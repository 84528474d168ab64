import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import ts from 'typescript';

/** A line that people read, and where it is. */
export interface Line {
  readonly place: string;
  readonly text: string;
}

/** The lines that people read in the files that git lists for these patterns. In code these are comments and texts with a space. */
export function proseOf(root: string, ...patterns: readonly string[]): readonly Line[] {
  const listing = execFileSync('git', ['ls-files', '--cached', '--others', '--exclude-standard', '--', ...patterns], {
    cwd: root,
  });
  const paths = [...new Set(listing.toString().trim().split('\n'))];
  return paths.flatMap((path) => {
    const text = readFileSync(join(root, path), 'utf8');
    return /\.(ts|tsx|mjs)$/.test(path) ? inCode(path, text) : inText(path, text);
  });
}

function inText(path: string, text: string): readonly Line[] {
  return text.split('\n').map((line, index) => ({ place: `${path}:${index + 1}`, text: line }));
}

function inCode(path: string, text: string): readonly Line[] {
  const comments = inText(path, text)
    .map(({ place, text: line }) => ({ place, text: /^\s*(?:\/\*\*|\*|\/\/)|\s\/\/\s/.test(line) ? line : '' }))
    .filter((line) => line.text !== '');
  const source = ts.createSourceFile(path, text, ts.ScriptTarget.Latest);
  const literals: Line[] = [];
  const visit = (node: ts.Node): void => {
    if (isText(node) && node.text.includes(' ')) {
      const { line } = source.getLineAndCharacterOfPosition(node.getStart(source));
      literals.push({ place: `${path}:${line + 1}`, text: node.text });
    }
    ts.forEachChild(node, visit);
  };
  visit(source);
  return [...comments, ...literals];
}

function isText(node: ts.Node): node is ts.LiteralLikeNode {
  return (
    ts.isStringLiteral(node) ||
    ts.isNoSubstitutionTemplateLiteral(node) ||
    ts.isTemplateHead(node) ||
    ts.isTemplateMiddleOrTemplateTail(node) ||
    ts.isJsxText(node)
  );
}
