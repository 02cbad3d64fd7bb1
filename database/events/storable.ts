const LIMIT = 255;

/** As many characters as a VARCHAR(255) takes, which are not UTF-16 units, and no half ones, which JSON does not carry. */
export function storable(text: string): string {
  const characters = Array.from(text.slice(0, 2 * LIMIT).toWellFormed());
  return characters.slice(0, LIMIT).join('');
}
