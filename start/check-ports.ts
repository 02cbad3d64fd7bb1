import { createServer } from 'node:net';
import { whyNotListening } from '../process/listen-error.ts';
import type { PortOfPart } from './config.ts';

const HOST = '127.0.0.1';

/** Throws one sentence that names every port that cannot be had, and the variable that changes it. */
export async function checkPorts(ports: readonly PortOfPart[]): Promise<void> {
  const problems: string[] = [];
  for (const { port, portVariable } of ports) {
    const error = await errorOfListening(port);
    if (error) problems.push(whyNotListening(error, { port, portVariable, host: HOST }));
  }
  if (problems.length === 0) return;
  const hint = problems.some((problem) => problem.includes('is in use'))
    ? '. Is it running already, or still stopping?'
    : '';
  throw new Error(problems.join(', ') + hint);
}

function errorOfListening(port: number): Promise<Error | undefined> {
  return new Promise((resolve) => {
    const probe = createServer();
    probe.once('error', resolve);
    probe.listen(port, HOST, () => probe.close(() => resolve(undefined)));
  });
}
