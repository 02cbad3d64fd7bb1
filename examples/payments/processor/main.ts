import { runMain } from '../../../process/run-main.ts';
import { stopSignal } from '../../../process/stop-signal.ts';
import { serveUntil } from '../serve-until.ts';
import { readProcessorConfig } from './config.ts';
import { createProcessor } from './processor.ts';

runMain('processor', async () => {
  await serveUntil(stopSignal(), createProcessor(), readProcessorConfig().PORT);
});
