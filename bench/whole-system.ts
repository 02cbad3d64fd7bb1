import type { BenchProcess } from './bench-process.ts';
import type { BenchServer, Stage } from './stage.ts';

export interface WholeSystem {
  /** nginx. */
  front: BenchServer;
  producers: BenchServer[];
  consumers: BenchProcess[];
  words: BenchServer;
}

/** What `npm start` runs: two producers behind nginx, two consumers, the word service. It has filled an event. */
export async function startWholeSystem(stage: Stage, env: Record<string, string> = {}): Promise<WholeSystem> {
  const words = await stage.startWordService();
  const producers = await Promise.all([stage.startProducer(env), stage.startProducer(env)]);
  const front = await stage.startNginx(producers);
  const consumers = await Promise.all([stage.startConsumer(env), stage.startConsumer(env)]);
  const answer = await fetch(`${front.url}/create-sync`, { method: 'POST' });
  if (answer.status !== 201) throw new Error(`the first create-sync was answered ${answer.status}`);
  return { front, producers, consumers, words };
}

/** All of our processes; not MySQL. */
export function processesOf({ front, producers, consumers, words }: WholeSystem): number[] {
  return [front, words, ...producers, ...consumers].map(({ pid }) => pid);
}
