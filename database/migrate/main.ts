import { runMain } from '../../process/run-main.ts';
import { readEnvironment, readSettings } from '../../process/settings.ts';
import { asksForHelp, environmentHelp } from '../../process/settings-help.ts';
import { databaseSettings } from '../config.ts';
import type { LoadedSchema } from '../load-schema.ts';
import { loadSchemaAt } from '../load-schema-at.ts';
import { SCHEMA_VERSION } from '../schema-version.ts';

const USAGE = `Usage: npm run migrate

Brings the database of DATABASE_URL to version ${SCHEMA_VERSION}: an empty one, one of an earlier version, or that of a course system.
It keeps all events, and may be interrupted and repeated. It needs an account that may do everything.
`;

const settings = { DATABASE_URL: databaseSettings.DATABASE_URL };

/** `npm run migrate`: what `npm start` does for its private server, for a server of one's own. */
async function main(args: string[]): Promise<void> {
  if (asksForHelp(args)) {
    process.stdout.write(environmentHelp(USAGE, settings));
    return;
  }
  const { DATABASE_URL } = readSettings(settings, readEnvironment());
  process.stdout.write(`${sentencesOn(await loadSchemaAt(DATABASE_URL))}\n`);
}

function sentencesOn({ from, hasAccounts }: LoadedSchema): string {
  const rights = hasAccounts ? '' : ' There are no accounts producer and consumer; no rights were given.';
  return `${sentenceOn(from)}${rights}`;
}

function sentenceOn(from: LoadedSchema['from']): string {
  switch (from) {
    case 'nothing':
      return `The tables of version ${SCHEMA_VERSION} are made.`;
    case 'this version':
      return `The tables were of version ${SCHEMA_VERSION} already; the routines are made anew.`;
    case 'version 1':
    case 'the tables of a course system':
      return `The database had ${from}; it has version ${SCHEMA_VERSION} now, with all its events.`;
  }
}

runMain('migrate', main);
