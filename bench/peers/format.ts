/** As a person reads it: no digits that the measurement does not carry. */
export function format(value: number): string {
  return value < 100 ? value.toFixed(1) : Math.round(value).toLocaleString('en');
}
