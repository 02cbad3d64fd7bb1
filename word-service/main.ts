import { asksForHelp } from '../process/settings-help.ts';
import { helpText, readWordServiceConfig } from './config.ts';
import { createWordService } from './server.ts';

function main(args: string[]): void {
  if (asksForHelp(args)) {
    process.stdout.write(helpText());
    return;
  }
  const { port, host, behaviour } = readWordServiceConfig();
  const server = createWordService(behaviour);
  server.once('error', (error: NodeJS.ErrnoException) => {
    const inUse = error.code === 'EADDRINUSE';
    fail(inUse ? `port ${port} is in use; choose another with WORD_SERVICE_PORT` : error.message);
  });
  server.listen(port, host, () => console.log(`words at http://${host}:${port}/api?language=pt-br&words=1`));
  const stop = () => {
    server.close();
    server.closeAllConnections();
  };
  process.on('SIGINT', stop).on('SIGTERM', stop).on('SIGHUP', stop);
}

function fail(message: string): never {
  console.error(`word-service: ${message}`);
  process.exit(1);
}

try {
  main(process.argv.slice(2));
} catch (error) {
  fail(error instanceof Error ? error.message : String(error));
}
