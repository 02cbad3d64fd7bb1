import { fileURLToPath } from 'node:url';
import type { Example } from '../example.ts';
import { accountsSettings } from './config.ts';

const NAMES = ['accounts-1', 'accounts-2'];

export const example: Example = {
  about: 'Accounts as actors: a ledger of transactions with snapshots, by two processes behind nginx',
  settings: { WAIT_MS: accountsSettings.WAIT_MS },
  ports: NAMES,
  hasFront: true,
  parts: ({ node, nginx, port }) => [
    NAMES.map((name) =>
      node(name, 'examples/accounts/main.ts', 'user', {
        // Else Node keeps up to 48 MB for what was just allocated.
        env: { PORT: String(port(name)), NODE_OPTIONS: '--max-semi-space-size=4' },
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
