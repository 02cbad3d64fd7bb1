/** Drawn on a light card of their own, so that they can be read on a dark page as well. */
export const COLOURS = {
  background: '#ffffff',
  border: '#d0d7de',
  text: '#1f2328',
  faint: '#59636e',
  grid: '#e6e9ed',
  ours: '#2f6fdb',
  baseline: '#a9b4c0',
  missed: '#d9822b',
  bar: '#c62f3b',
} as const;

// Without quotation marks: echarts writes the name into an attribute as it is.
export const FONT = 'system-ui, -apple-system, Roboto, Ubuntu, Cantarell, Arial, sans-serif';
export const WIDTH = 860;
