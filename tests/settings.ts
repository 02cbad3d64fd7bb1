import type { z } from 'zod';
import { consumerSettings } from '../consumer/config.ts';
import { databaseSettings } from '../database/config.ts';
import { logSettings } from '../process/json-log.ts';
import { producerSettings } from '../producer/config.ts';
import { startSettings } from '../start/config.ts';
import { wordServiceSettings } from '../word-service/config.ts';

const shared = { ...databaseSettings, ...logSettings };

/** The settings of each kind of process, those that all share only once; in the order of the documents. */
export const settingGroups: Record<string, Record<string, z.ZodType>> = {
  'every process': shared,
  producer: without(producerSettings, shared),
  consumer: without(consumerSettings, shared),
  'npm start': without(startSettings, wordServiceSettings),
  'word service': wordServiceSettings,
};

export const allSettings: Record<string, z.ZodType> = Object.assign({}, ...Object.values(settingGroups));

function without(settings: Record<string, z.ZodType>, others: Record<string, unknown>): Record<string, z.ZodType> {
  return Object.fromEntries(Object.entries(settings).filter(([name]) => !(name in others)));
}
