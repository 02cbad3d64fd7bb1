/**
 * Measures the sides in turn, A B C A B C …, so that a machine that slows down for a while slows all of them down. Before
 * the first round each side runs once for nothing, so that none pays for being the first.
 */
export async function interleave<Names extends string>(
  sides: Record<Names, (isWarmUp: boolean) => Promise<number>>,
  rounds: number,
  say: (line: string) => void,
): Promise<Record<Names, number[]>> {
  const names = Object.keys(sides) as Names[];
  const values = Object.fromEntries(names.map((name) => [name, [] as number[]])) as Record<Names, number[]>;
  for (let round = 0; round <= rounds; round++) {
    for (const name of names) {
      say(`${round === 0 ? 'warming up' : `round ${round} of ${rounds}`}: ${name}`);
      const value = await sides[name](round === 0);
      if (round > 0) values[name].push(value);
    }
  }
  return values;
}
