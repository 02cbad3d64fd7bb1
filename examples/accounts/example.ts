import { fileURLToPath } from 'node:url';
import type { Example } from '../example.ts';
import { accountsSettings } from './config.ts';

const NAMES = ['accounts-1', 'accounts-2'];

/** Else Node lets 48 MB of new objects and four times its old ones gather, and the C library keeps an arena a thread. */
export const LITTLE_MEMORY = {
  NODE_OPTIONS: '--max-semi-space-size=1 --max-old-space-size=256',
  MALLOC_ARENA_MAX: '1',
};

export const example: Example = {
  about: 'Accounts as actors: a ledger of transactions with snapshots, by two processes behind nginx',
  settings: { WAIT_MS: accountsSettings.WAIT_MS },
  ports: NAMES,
  hasFront: true,
  parts: ({ node, nginx, port }) => [
    NAMES.map((name) =>
      node(name, 'examples/accounts/main.ts', 'user', {
        env: { ...LITTLE_MEMORY, PORT: String(port(name)) },
        readyUrl: `http://127.0.0.1:${port(name)}/clientes/1/extrato`,
      }),
    ),
    [nginx(fileURLToPath(new URL('nginx.conf', import.meta.url)), NAMES.map(port))],
  ],
  tries: ({ port }) => {
    const client = `http://localhost:${port('front')}/clientes/1`;
    return [
      `curl ${client}/transacoes -d '{"valor":1000,"tipo":"d","descricao":"livro"}'   # a debit of client 1`,
      `curl ${client}/extrato   # its statement`,
      `npm run example -- accounts --rebuild   # after Ctrl-C: adds all transactions up again`,
    ];
  },
  commands: {
    rebuild: {
      main: 'examples/accounts/rebuild/main.ts',
      why: 'Makes every balance anew of snapshot and transactions, and compares it with the tables',
    },
  },
};
