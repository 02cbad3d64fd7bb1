import { once } from 'node:events';
import { whyNotListening } from '../process/listen-error.ts';
import { runMain } from '../process/run-main.ts';
import { asksForHelp } from '../process/settings-help.ts';
import { stopSignal } from '../process/stop-signal.ts';
import { behaviourSchema } from './behaviour.ts';
import { helpText, readWordServiceConfig } from './config.ts';
import { createWordService } from './server.ts';

async function main(args: string[]): Promise<void> {
  if (asksForHelp(args)) {
    process.stdout.write(helpText());
    return;
  }
  const { WORD_SERVICE_PORT: port, HOST: host } = readWordServiceConfig();
  const stopped = stopSignal();
  const server = createWordService(behaviourSchema.parse({}));
  server.listen(port, host);
  await once(server, 'listening').catch((cause: Error) => {
    const variables = { portVariable: 'WORD_SERVICE_PORT', hostVariable: 'HOST' };
    throw new Error(whyNotListening(cause, { port, host, ...variables }), { cause });
  });
  console.log(`words at http://${host}:${port}/api?language=pt-br&words=1`);
  await stopped;
  server.close();
  server.closeAllConnections();
}

runMain('word-service', main);
