import { httpPort } from '../../../process/setting-kinds.ts';
import { readEnvironment, readSettings } from '../../../process/settings.ts';

const processorSettings = {
  PORT: httpPort({ min: 0, default: 8_001, why: 'The port that the processor listens on; 0 takes a free one' }),
};

export const readProcessorConfig = () => readSettings(processorSettings, readEnvironment());
