import { oneOf } from './settings.ts';

export const logSettings = {
  LOG_LEVEL: oneOf(
    ['trace', 'debug', 'info', 'warn', 'error', 'silent'],
    'info',
    'The least important JSON line that is written',
  ),
  LOG_FORMAT: oneOf(['auto', 'json', 'pretty'], 'auto', 'auto: lines for people in a terminal, else JSON'),
};
