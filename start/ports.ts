import { createServer } from 'node:net';

/** Throws one sentence that names every port in use and the variable that changes it. */
export async function checkPorts(ports: readonly { port: number; variable: string }[]): Promise<void> {
  const taken: string[] = [];
  for (const { port, variable } of ports) {
    if (!(await isFree(port))) taken.push(`port ${port} is in use (choose another with ${variable})`);
  }
  if (taken.length > 0) throw new Error(`${taken.join(', ')}. Is npm start running already?`);
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = createServer();
    probe.once('error', () => resolve(false));
    probe.listen(port, '127.0.0.1', () => probe.close(() => resolve(true)));
  });
}
