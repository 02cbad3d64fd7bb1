import { resolve } from 'node:path';
import { parseArgs } from 'node:util';

export interface BenchArguments {
  help: boolean;
  /** Names of scenarios, in capitals; empty: all. */
  only: string[];
  quick: boolean;
  /** Nothing is left out or shortened. */
  isWhole: boolean;
  peers: boolean;
  /** How long B13 lasts. */
  steadySeconds: number;
  /** Where the producers and consumers leave a processor profile each; relative to the working directory. */
  profiles: string | undefined;
  /** What the files of the results are called; undefined: after the server, or `trial` if not everything runs in full. */
  name: string | undefined;
}

const STEADY_SECONDS = 300;
const QUICK_STEADY_SECONDS = 30;
const SHORTEST_STEADY_SECONDS = 20; // ten of them warm up

/** Throws a sentence for whatever cannot be used. */
export function parseArguments(args: string[], known: readonly string[]): BenchArguments {
  const { values } = parseArgs({
    args,
    options: {
      help: { type: 'boolean', default: false },
      only: { type: 'string', default: '' },
      quick: { type: 'boolean', default: false },
      peers: { type: 'boolean', default: false },
      'steady-seconds': { type: 'string' },
      profiles: { type: 'string' },
      name: { type: 'string' },
    },
  });
  const only = values.only.split(',').flatMap((name) => name.trim().toUpperCase() || []);
  const unknown = only.filter((name) => !known.includes(name));
  if (unknown.length > 0) throw new Error(`there is no ${unknown.join(', ')}; there are ${known.join(', ')}`);
  const steady = values['steady-seconds'] ?? String(values.quick ? QUICK_STEADY_SECONDS : STEADY_SECONDS);
  if (!/^[1-9][0-9]{1,5}$/.test(steady) || Number(steady) < SHORTEST_STEADY_SECONDS) {
    throw new Error(`--steady-seconds ${steady}: expected ${SHORTEST_STEADY_SECONDS} to 999999`);
  }
  if (values.name !== undefined && !/^[\w.-]+$/.test(values.name)) {
    throw new Error(`--name ${values.name}: expected letters, digits, _ . -`);
  }
  return {
    help: values.help,
    only,
    quick: values.quick,
    isWhole: only.length === 0 && !values.quick && Number(steady) >= STEADY_SECONDS,
    peers: values.peers,
    steadySeconds: Number(steady),
    profiles: values.profiles && resolve(values.profiles),
    name: values.name,
  };
}

export const HELP = `Usage: npm run bench -- [options]

Measures the system on a private server, with real processes, and holds each figure against its bar.
See bench/README.md.

  --only B1,B5          Only these scenarios
  --quick               Short, for trying: the figures mean little
  --steady-seconds N    How long B13 lasts; default ${STEADY_SECONDS}
  --name NAME           Writes bench/results/NAME.json and NAME-*.svg; default: the server's name and version, or
                        trial unless everything runs at full length
  --profiles FOLDER     Every Node process of ours leaves a processor profile (.cpuprofile) there
  --peers               Instead: other queues and this one on the same work; see bench/peers/
  --help                This text
`;
