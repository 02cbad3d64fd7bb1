import { styleText } from 'node:util';

const COLOURS = ['cyan', 'magenta', 'blue', 'yellow', 'green', 'red'] as const;
const WIDTH = 12;
let marked = 0;

/** A writer of lines that are marked with the name of the process they come from. */
export function lineWriter(name: string): (line: string) => void {
  const mark = styleText(COLOURS[marked++ % COLOURS.length]!, `${name.padEnd(WIDTH)}│`);
  return (line) => process.stdout.write(`${mark} ${line}\n`);
}
