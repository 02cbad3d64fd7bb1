import { request } from 'node:http';

export interface Answer {
  /** The status, or the code of what went wrong before there was one. */
  status: number | string;
  /** The parsed JSON; undefined without. */
  body: unknown;
}

export interface TransactionAnswer extends Answer {
  client: number;
  valor: number;
  tipo: string;
  descricao: string;
}

/** One request on a connection of its own, never repeated; resolves whatever becomes of it. */
export function send(front: string, path: string, payload?: string): Promise<Answer> {
  return new Promise((resolve) => {
    const fail = (error: NodeJS.ErrnoException) => resolve({ status: error.code ?? error.message, body: undefined });
    const options = { host: '127.0.0.1', port: new URL(front).port, path, agent: false };
    const sent = request({ ...options, method: payload === undefined ? 'GET' : 'POST' }, (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (piece: string) => {
        text += piece;
      });
      response.on('end', () => resolve({ status: response.statusCode!, body: parse(text) })).on('error', fail);
    });
    sent.on('error', fail).end(payload);
  });
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

export const readExtrato = (front: string, client: number) => send(front, `/clientes/${client}/extrato`);

let sentBefore = 0;

/** With a `descricao` that no other transaction of this process has. */
export async function sendTransaction(
  front: string,
  { client, valor, tipo }: Pick<TransactionAnswer, 'client' | 'valor' | 'tipo'>,
): Promise<TransactionAnswer> {
  const transaction = { valor, tipo, descricao: (++sentBefore).toString(36) };
  const answer = await send(front, `/clientes/${client}/transacoes`, JSON.stringify(transaction));
  return { client, ...transaction, ...answer };
}
