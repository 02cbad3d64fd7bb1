import type { Peer } from './peer.ts';

// Each is imported by itself: the process that measures one should load no other.
const SOURCES: Record<string, () => Promise<Peer>> = {
  'ours: words': async () => (await import('./ours.ts')).oursWords,
  'ours: plain function': async () => (await import('./ours.ts')).oursFunction,
  'ours: inTransaction': async () => (await import('./ours.ts')).oursInTransaction,
  'graphile-worker': async () => (await import('./graphile-worker.ts')).graphileWorker,
  'pg-boss': async () => (await import('./pg-boss.ts')).pgBoss,
  BullMQ: async () => (await import('./bullmq.ts')).bullmq,
  Sidequest: async () => (await import('./sidequest.ts')).sidequest,
};

export const PEER_NAMES: readonly string[] = Object.keys(SOURCES);

export function loadPeer(name: string): Promise<Peer> {
  const load = SOURCES[name];
  if (!load) throw new Error(`${name} is not known; there are ${PEER_NAMES.join(', ')}`);
  return load();
}
