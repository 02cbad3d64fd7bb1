import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { freePort } from '../../start/free-port.ts';

interface Intercept {
  /** What to look for in one piece of what the client sends: the text of a statement. */
  pattern: RegExp;
  /** Whether the statement itself is stopped, or the reply to it. */
  side: 'request' | 'reply';
  /**
   * `pass` lets it through, `hold` keeps it until `release`, `drop` loses it and resets both connections, so that the
   * client cannot know what became of its statement.
   */
  act: (bytes: Buffer) => 'pass' | 'hold' | 'drop';
}

export interface Interception {
  /** How often it matched. */
  matched: () => number;
  /** How often something was held or dropped. */
  stopped: () => number;
  /** Sends on what is held and lets everything through from now on. */
  release: () => void;
}

/** A TCP relay that can be as bad as a network. With no fault set it passes everything on. */
export interface FaultProxy extends AsyncDisposable {
  port: number;
  /** Connections that clients have opened so far. */
  opened: () => number;
  /** How many are open now. */
  open: () => number;
  /** Ends every connection, in order. */
  cut: () => void;
  /** Ends every connection with a TCP reset. */
  reset: () => void;
  /** A black hole: connections are accepted, nothing gets through, nobody is told. Off: those connections end. */
  swallow: (on: boolean) => void;
  /** As if nobody listened: what is open ends, and nothing can be opened. */
  refuse: (on: boolean) => Promise<void>;
  /** Each piece is `ms` late, and up to `jitterMs` more; their order stays. */
  delay: (ms: number, jitterMs?: number) => void;
  intercept: (intercept: Intercept) => Interception;
  /** Takes back every fault. */
  heal: () => Promise<void>;
}

interface Link {
  client: Socket;
  server: Socket;
  /** Set while the reply to a statement that matched is awaited. */
  awaited: Intercept | undefined;
}

/** Listens on a port of its own on 127.0.0.1 and passes on to `targetPort` of `host`. */
export async function startFaultProxy(
  targetPort: number,
  random: () => number = Math.random,
  host = '127.0.0.1',
): Promise<FaultProxy> {
  const links = new Set<Link>();
  const intercepts = new Set<Intercept>();
  const held = new Map<Intercept, (() => void)[]>();
  let opened = 0;
  let isSwallowing = false;
  let delayMs = 0;
  let delayJitterMs = 0;

  function endAll(end: (socket: Socket) => void): void {
    for (const { client, server } of links) {
      end(client);
      end(server);
    }
    links.clear();
  }

  /** Passes pieces on in their order, each after the delay of its moment. */
  function relay(link: Link, from: Socket, to: Socket, filter: (bytes: Buffer, pass: () => void) => void): void {
    // One queue and one timer: two timers that end in the same millisecond may go off in either order.
    const queue: { dueAt: number; act: () => void }[] = [];
    const passOn = () => {
      while (queue.length > 0 && queue[0]!.dueAt <= performance.now()) queue.shift()!.act();
      if (queue.length > 0) setTimeout(passOn, Math.max(1, queue[0]!.dueAt - performance.now()));
    };
    const later = (act: () => void) => {
      const dueAt = performance.now() + delayMs + random() * delayJitterMs;
      if (queue.push({ dueAt: Math.max(dueAt, queue.at(-1)?.dueAt ?? 0), act }) === 1) passOn();
    };
    from.on('data', (bytes: Buffer) => {
      if (isSwallowing) return;
      filter(bytes, () => later(() => to.writable && to.write(bytes)));
    });
    from.on('end', () => !isSwallowing && later(() => to.end()));
    from.on('error', () => !isSwallowing && to.destroy());
    from.on('close', () => {
      if (isSwallowing) return; // the other side is not told before the end of the black hole
      later(() => to.destroy());
      links.delete(link);
    });
  }

  function apply(intercept: Intercept, bytes: Buffer, link: Link, pass: () => void): void {
    switch (intercept.act(bytes)) {
      case 'pass':
        return pass();
      case 'hold':
        return void held.get(intercept)!.push(pass);
      case 'drop':
        link.client.resetAndDestroy();
        link.server.resetAndDestroy();
    }
  }

  const proxy = createServer((client) => {
    opened++;
    const server = connect(targetPort, host);
    const link: Link = { client, server, awaited: undefined };
    for (const socket of [client, server]) socket.setNoDelay(true);
    links.add(link);
    relay(link, client, server, (bytes, pass) => {
      const text = intercepts.size > 0 ? bytes.toString('latin1') : '';
      const match = [...intercepts].find(({ pattern }) => pattern.test(text));
      if (match?.side === 'request') return apply(match, bytes, link, pass);
      if (match) link.awaited = match;
      pass();
    });
    relay(link, server, client, (bytes, pass) => {
      const { awaited } = link;
      link.awaited = undefined;
      if (awaited && intercepts.has(awaited)) return apply(awaited, bytes, link, pass);
      pass();
    });
  });
  const listen = async (port: number) => once(proxy.listen(port, '127.0.0.1'), 'listening');
  await listen(await freePort());
  const { port } = proxy.address() as AddressInfo;
  const swallow = (on: boolean) => {
    if (isSwallowing && !on) endAll((socket) => socket.destroy());
    isSwallowing = on;
  };
  const refuse = async (on: boolean) => {
    if (on === !proxy.listening) return;
    if (!on) return void (await listen(port));
    proxy.close();
    endAll((socket) => socket.destroy());
  };
  const release = (intercept: Intercept) => {
    intercepts.delete(intercept);
    for (const pass of held.get(intercept) ?? []) pass();
    held.delete(intercept);
  };

  return {
    port,
    opened: () => opened,
    open: () => links.size,
    cut: () => endAll((socket) => socket.end()),
    reset: () => endAll((socket) => socket.resetAndDestroy()),
    swallow,
    refuse,
    delay: (ms, jitterMs = 0) => {
      delayMs = ms;
      delayJitterMs = jitterMs;
    },
    intercept({ pattern, side, act }) {
      let matched = 0;
      let stopped = 0;
      const counted: Intercept = {
        pattern,
        side,
        act(bytes) {
          const fate = act(bytes);
          matched++;
          if (fate !== 'pass') stopped++;
          return fate;
        },
      };
      intercepts.add(counted);
      held.set(counted, []);
      return { matched: () => matched, stopped: () => stopped, release: () => release(counted) };
    },
    async heal() {
      delayMs = delayJitterMs = 0;
      for (const intercept of intercepts) release(intercept);
      swallow(false);
      await refuse(false);
    },
    async [Symbol.asyncDispose]() {
      if (proxy.listening) proxy.close();
      endAll((socket) => socket.destroy());
    },
  };
}
