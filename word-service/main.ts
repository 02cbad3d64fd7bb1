import { once } from 'node:events';
import { runMain } from '../process/run-main.ts';
import { asksForHelp } from '../process/settings-help.ts';
import { stopSignal } from '../process/stop-signal.ts';
import { helpText, readWordServiceConfig } from './config.ts';
import { createWordService } from './server.ts';

async function main(args: string[]): Promise<void> {
  if (asksForHelp(args)) {
    process.stdout.write(helpText());
    return;
  }
  const { port, host, behaviour } = readWordServiceConfig();
  const stopped = stopSignal();
  const server = createWordService(behaviour);
  server.listen(port, host);
  await once(server, 'listening').catch((error: NodeJS.ErrnoException) => {
    const isInUse = error.code === 'EADDRINUSE';
    throw isInUse
      ? new Error(`port ${port} is in use; choose another with WORD_SERVICE_PORT`, { cause: error })
      : error;
  });
  console.log(`words at http://${host}:${port}/api?language=pt-br&words=1`);
  await stopped;
  server.close();
  server.closeAllConnections();
}

runMain('word-service', main);
