/** A change of one piece of the product's source, made while a process loads it. */
export interface Edit {
  file: string;
  is: string;
  becomes: string;
}

/** The bugs that are planted in processes; others are planted in the database. By name, so that a process can be told. */
export const plantedEdits = {
  'acknowledge before commit': [
    {
      file: 'database/events/create.ts',
      is: 'export function createEvents(',
      becomes: `let committed: Promise<unknown> = Promise.resolve();
        export async function createEvents(db: Database, events: readonly NewEvent[]): Promise<number> {
          await committed;
          const { id: before } = await db.selectFrom('DBStatus').select('id').executeTakeFirstOrThrow();
          const id = before + 1;
          committed = sleep(50).then(() => createAndCommit(db, events));
          return id;
        }
        function createAndCommit(`,
    },
  ],
  'a create sent again after an unknown outcome': [
    { file: 'database/retry.ts', is: "case 'unknown':", becomes: "case 'unknown': return 50;" },
  ],
  "effect outside the fill's transaction": [
    {
      file: 'consumer/call-handler.ts',
      is: 'return deps.writeEffect({ event, valor: outcome.valor, effect: outcome.effect });',
      becomes: `const { transactionsFor } = await import('../database/transactions.ts');
        await transactionsFor(deps.db).run(({ begin }) => outcome.effect(begin('an effect').trx));
        return deps.writeEffect({ event, valor: outcome.valor, effect: async () => {} });`,
    },
  ],
  'REPEATABLE READ': [{ file: 'database/session.ts', is: 'READ-COMMITTED', becomes: 'REPEATABLE-READ' }],
  'the pool wrapper taken away': [
    {
      file: 'database/connection.ts',
      is: "const limit = setTimeout(() => reject(withCode('TIME_LIMIT', `no answer within ${timeoutMs} ms`)), timeoutMs);",
      becomes: 'const limit = undefined;',
    },
  ],
} satisfies Record<string, Edit[]>;
