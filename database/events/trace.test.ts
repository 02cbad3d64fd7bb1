import { describe, expect, test } from 'vitest';
import { parseTrace, toTraceText } from './trace.ts';

const IDS = '0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331';
const traceparent = `00-${IDS}-01`;
const tracestate = 'rojo=00f067aa0ba902b7, t61@rcm=a b!,';

describe('a trace', () => {
  test.each([undefined, tracestate])('is kept with the tracestate %s, and read again', (state) => {
    const text = toTraceText(traceparent, state);
    expect(parseTrace(text)).toEqual(state === undefined ? { traceparent } : { traceparent, tracestate: state });
  });

  test('of a later version is kept as one of this version', () => {
    expect(toTraceText(`cc-${IDS}-01-what-the-future-will-be`, undefined)).toBe(traceparent);
  });

  test.each([
    undefined,
    '',
    'x',
    IDS,
    `00-${IDS}`,
    `00-${IDS}-01-more`,
    `ff-${IDS}-01`,
    `00-${IDS}-01, 00-${IDS}-01`,
    traceparent.toUpperCase(),
    `00-${'0'.repeat(32)}-b7ad6b7169203331-01`,
    `00-0af7651916cd43dd8448eb211c80319c-${'0'.repeat(16)}-01`,
    `${traceparent}\n`,
  ])('with the malformed traceparent %j is ignored', (malformed) => {
    expect(toTraceText(malformed, tracestate)).toBeUndefined();
    expect(parseTrace(malformed)).toBeUndefined();
  });

  test.each(['', ',', 'a', '=b', 'A=b', 'a=ç', 'a=\0', `a=${'b'.repeat(255)},c=${'d'.repeat(255)}`, 'a=b,'.repeat(33)])(
    'is kept without the tracestate %j',
    (malformed) => {
      expect(toTraceText(traceparent, malformed)).toBe(traceparent);
      expect(parseTrace(`${traceparent} ${malformed}`)).toBeUndefined();
    },
  );
});
