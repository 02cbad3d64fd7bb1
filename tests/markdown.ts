/** The parts of a Markdown document that tests hold against the code, or against the same document in another language. */

export interface CodeBlock {
  language: string;
  code: string;
}

const BLOCK = /^ *```(\w*)\n([\s\S]*?)^ *```$/gm;

export function codeBlocks(markdown: string): CodeBlock[] {
  return [...markdown.matchAll(BLOCK)].map(([, language, code]) => ({ language: language!, code: code! }));
}

/** The commands of the sh blocks, and what is typed in the console blocks, without comments. */
export function shellCommands(markdown: string): string[] {
  return codeBlocks(markdown).flatMap(({ language, code }) => {
    const lines = code.split('\n').map((line) => line.replace(/(^|\s+)# .*$/, ''));
    if (language === 'sh') return lines.filter(Boolean);
    return language === 'console' ? lines.filter((line) => line.startsWith('$ ')).map((line) => line.slice(2)) : [];
  });
}

/** What is between backticks in the text. */
export function inlineCode(markdown: string): string[] {
  return [...prose(markdown).matchAll(/`([^`\n]+)`/g)].map(([, code]) => code!);
}

export function headings(markdown: string): { level: number; text: string }[] {
  return [...prose(markdown).matchAll(/^(#+) (.*)$/gm)].map(([, marks, text]) => ({
    level: marks!.length,
    text: text!,
  }));
}

/** Where the links and the images of a document lead, in their order. */
export function links(markdown: string): string[] {
  return [...prose(markdown).matchAll(/\]\(([^)\s]+)\)/g)].map(([, target]) => target!);
}

/** The cells of each table, row by row, without the line below its head. */
export function tables(markdown: string): string[][][] {
  const found = prose(markdown).match(/(^\|.*\|\n)+/gm) ?? [];
  return found.map((table) =>
    table
      .trim()
      .split('\n')
      .filter((line) => !/^\|[-|: ]+\|$/.test(line))
      .map((line) =>
        line
          .slice(1, -1)
          .split('|')
          .map((cell) => cell.trim()),
      ),
  );
}

/** The anchor that GitHub gives a heading. */
export function anchorOf(heading: string): string {
  return heading
    .toLowerCase()
    .replaceAll(/[^\p{L}\p{N}\s_-]/gu, '')
    .replaceAll(/\s/g, '-');
}

function prose(markdown: string): string {
  return markdown.replaceAll(BLOCK, '');
}
