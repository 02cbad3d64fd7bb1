export type Violations = string[];

const SHOWN = 5;

/** What can be said against some of them; after the first few only how many there are. */
export function few<T>(items: readonly T[], say: (item: T) => string | undefined): Violations {
  const said = items.flatMap((item) => say(item) ?? []);
  const more = said.length - SHOWN;
  return more > 0 ? [...said.slice(0, SHOWN), `… and ${more} more`] : said;
}
